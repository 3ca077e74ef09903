/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bare-transfers NODE COUNT DEPTH: COUNT control transfers (GETSTATUS) with DEPTH of them in flight, by the kernel's own
 * ioctls and nothing else, in the order in which libusb makes them: submit, then reap until there is none. What that costs
 * on the bed is what the bed costs.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/usbdevice_fs.h>

#include "core/util.h"

#define DEPTH_MAX   64
#define SETUP_SIZE  8
#define STATUS_SIZE 6

struct transfer {
        unsigned char buffer[SETUP_SIZE + STATUS_SIZE];
        bool in_flight;
        struct usbdevfs_urb
                urb; /* last: it ends in an array of any length, which control transfers do not have */
};

static struct transfer transfers[DEPTH_MAX];

static int submit(int fd, struct transfer *t)
{
        /* GETSTATUS to interface 2. */
        static const unsigned char setup[SETUP_SIZE] = { 0xa1, 3, 0, 0, 2, 0, STATUS_SIZE, 0 };

        memcpy(t->buffer, setup, sizeof(setup));
        t->urb = (struct usbdevfs_urb){ .type = USBDEVFS_URB_TYPE_CONTROL,
                                        .endpoint = 0,
                                        .buffer = t->buffer,
                                        .buffer_length = sizeof(t->buffer),
                                        .usercontext = t };
        t->in_flight = true;
        return ioctl(fd, USBDEVFS_SUBMITURB, &t->urb);
}

/* Returns how many came back, or -1 when one failed. */
static int reap(int fd)
{
        struct usbdevfs_urb *urb;
        int n = 0;

        while (ioctl(fd, USBDEVFS_REAPURBNDELAY, &urb) == 0) {
                struct transfer *t = urb->usercontext;

                if (urb->status != 0)
                        return -1;
                t->in_flight = false;
                n++;
        }
        return errno == EAGAIN ? n : -1;
}

static int run(int fd, long count, long depth)
{
        long submitted = 0, done = 0;

        while (done < count) {
                for (long i = 0; i < depth && submitted < count; i++) {
                        if (transfers[i].in_flight)
                                continue;
                        if (submit(fd, &transfers[i]) < 0)
                                return -errno;
                        submitted++;
                }
                int n = reap(fd);

                if (n < 0)
                        return -EIO;
                done += n;
        }
        return 0;
}

int main(int argc, char **argv)
{
        unsigned interface = 2;
        int fd, r;

        if (argc != 4)
                return 2;
        fd = open(argv[1], O_RDWR | O_CLOEXEC);
        if (fd < 0 || ioctl(fd, USBDEVFS_CLAIMINTERFACE, &interface) < 0) {
                perror(argv[1]);
                return 1;
        }
        r = run(fd, strtol(argv[2], NULL, 10), MIN(strtol(argv[3], NULL, 10), (long)DEPTH_MAX));
        if (r < 0)
                fprintf(stderr, "bare-transfers: %s\n", strerror(-r));
        close(fd);
        return r < 0;
}
