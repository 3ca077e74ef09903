/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/wait.h"

enum { SIGNAL, CHANNEL, FIRST_OF_USB };

static void LIBUSB_CALL on_added(int fd, short events, void *userdata)
{
        struct waiter *w = userdata;

        (void)fd;
        (void)events;
        w->n_fds = 0;
}

static void LIBUSB_CALL on_removed(int fd, void *userdata)
{
        on_added(fd, 0, userdata);
}

void waiter_init(struct waiter *w, struct libusb_context *usb, int signal_fd, int channel_fd)
{
        *w = (struct waiter){ .usb = usb };
        w->fds[SIGNAL] = (struct pollfd){ .fd = signal_fd, .events = POLLIN };
        w->fds[CHANNEL] = (struct pollfd){ .fd = channel_fd, .events = POLLIN };
        libusb_set_pollfd_notifiers(usb, on_added, on_removed, w);
}

void waiter_done(struct waiter *w)
{
        libusb_set_pollfd_notifiers(w->usb, NULL, NULL, NULL);
}

static int look_up_fds(struct waiter *w)
{
        const struct libusb_pollfd **list = libusb_get_pollfds(w->usb);
        size_t n = FIRST_OF_USB;

        if (!list)
                return -ENOMEM;
        for (size_t i = 0; list[i] && n < WAIT_FDS_MAX; i++)
                w->fds[n++] = (struct pollfd){ .fd = list[i]->fd, .events = list[i]->events };
        libusb_free_pollfds(list);
        w->n_fds = n;
        return 0;
}

/* Fails where the kernel or libusb refuses; a signal that interrupts is nothing. */
static int deliver(struct waiter *w)
{
        struct timeval none = { 0 };
        int r = libusb_handle_events_timeout_completed(w->usb, &none, NULL);

        return r == LIBUSB_SUCCESS || r == LIBUSB_ERROR_INTERRUPTED ? 0 : -EIO;
}

/*
 * Each once: poll ignores descriptors below 0, and what ends a download may itself have to wait. A daemon that is killed sends
 * the signal (PR_SET_PDEATHSIG) before its last thread has closed the channel: whoever was told to stop may be alone later.
 */
static int not_wanted(struct waiter *w)
{
        if (w->fds[CHANNEL].revents) { /* the daemon says nothing: its end closed */
                w->fds[SIGNAL].fd = w->fds[CHANNEL].fd = -EBADF;
                return WAITER_ALONE;
        }
        if (!w->fds[SIGNAL].revents)
                return 0;
        w->fds[SIGNAL].fd = -EBADF;
        return WAITER_STOPPED;
}

int waiter_wait(struct waiter *w, uint64_t now, uint64_t until)
{
        uint64_t left = until <= now ? 0 : until - now;
        struct timespec timeout = { .tv_sec = (time_t)(left / USEC_PER_SEC),
                                    .tv_nsec = (long)(left % USEC_PER_SEC * 1000) };
        int r = w->n_fds > 0 ? 0 : look_up_fds(w);

        if (r < 0)
                return r;
        if (ppoll(w->fds, w->n_fds, until == USEC_INFINITY ? NULL : &timeout, NULL) < 0 && errno != EINTR)
                return -errno;
        r = deliver(w);
        if (r < 0)
                return r;
        return not_wanted(w);
}
