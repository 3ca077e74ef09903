/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Preloaded before the bed's libraries: answers the ioctls of a USB device node in the program's own process, at once, as a
 * ROM that finds nothing wrong. What is left of a download is the program, libusb and their other system calls: what they
 * cost without a bed, and without what the kernel does for a transfer. One transfer comes back at a time, as on a bus that
 * is slower than the program.
 */
#include <dlfcn.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#include <linux/usbdevice_fs.h>

#include "core/util.h"

#define URBS_MAX   128 /* a power of two */
#define SETUP_SIZE 8

enum { DNLOAD = 1, GETSTATUS = 3, CLRSTATUS = 4, ABORT = 6 };
enum { DFU_IDLE = 2, DNLOAD_IDLE = 5 };

static struct usbdevfs_urb *done[URBS_MAX]; /* a ring */
static unsigned head, tail;
static bool reaped; /* the last reap found one: the next finds none */
static uint8_t state = DFU_IDLE;

static void answer_status(uint8_t *data)
{
        static const uint8_t poll_256_msec[] = { 0x00, 0x01, 0x00 };

        memset(data, 0, 6);
        memcpy(data + 1, poll_256_msec, sizeof(poll_256_msec));
        data[4] = state;
}

/* Returns bytes transferred, or -EPIPE: a stall. */
static int carry_out(const uint8_t *setup, uint8_t *data)
{
        uint16_t length = read_le16(setup + 6);

        if ((setup[0] & 0x7f) != 0x21) /* class, interface */
                return -EPIPE;
        switch (setup[1]) {
        case DNLOAD:
                state = length > 0 ? DNLOAD_IDLE : DFU_IDLE;
                return length;
        case GETSTATUS:
                answer_status(data);
                return 6;
        case CLRSTATUS:
        case ABORT:
                state = DFU_IDLE;
                return 0;
        default: /* a byte from the program */
                return -EPIPE;
        }
}

static int submit(struct usbdevfs_urb *urb)
{
        uint8_t *buffer = urb->buffer;
        int n = carry_out(buffer, buffer + SETUP_SIZE);

        urb->status = MIN(n, 0);
        urb->actual_length = MAX(n, 0);
        done[tail++ % URBS_MAX] = urb;
        return 0;
}

static int reap(struct usbdevfs_urb **ret)
{
        if (reaped || head == tail) {
                reaped = false;
                return -EAGAIN;
        }
        *ret = done[head++ % URBS_MAX];
        reaped = true;
        return 0;
}

static int answer(unsigned long request, void *arg)
{
        const struct usbdevfs_ctrltransfer *control = arg;
        uint8_t setup[SETUP_SIZE];

        switch (request) {
        case USBDEVFS_SUBMITURB:
                return submit(arg);
        case USBDEVFS_REAPURB:
        case USBDEVFS_REAPURBNDELAY:
                return reap(arg);
        case USBDEVFS_CONTROL:
                setup[0] = control->bRequestType;
                setup[1] = control->bRequest;
                write_le16(setup + 6, control->wLength);
                return carry_out(setup, control->data);
        case USBDEVFS_DISCARDURB:
                return -EINVAL;
        case USBDEVFS_GETDRIVER:
                return -ENODATA;
        case USBDEVFS_GET_CAPABILITIES:
                *(uint32_t *)arg = USBDEVFS_CAP_ZERO_PACKET | USBDEVFS_CAP_NO_PACKET_SIZE_LIM |
                                   USBDEVFS_CAP_REAP_AFTER_DISCONNECT;
                return 0;
        default: /* claims and the rest */
                return 0;
        }
}

__attribute__((visibility("default"))) int ioctl(int fd, unsigned long request, ...)
{
        static int (*next)(int, unsigned long, ...);
        va_list ap;
        void *arg;
        int r;

        va_start(ap, request);
        arg = va_arg(ap, void *);
        va_end(ap);
        if (!next)
                next = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
        if (_IOC_TYPE(request) != 'U') /* usbfs */
                return next(fd, request, arg);
        r = answer(request, arg);
        if (r < 0) {
                errno = -r;
                return -1;
        }
        return r;
}
