/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program for the bed's own tests: real libudev in a real sd-event loop, real libusb. It says on stdout what it saw.
 *
 *      bed-probe monitor            events with the tag espdfu, until it is killed
 *      bed-probe enumerate          initialized devices with the tag espdfu
 *      bed-probe scan               whatever is in sysfs, and whether a udevd is there
 *      bed-probe claim NODE         claims the DFU interface and waits to be killed
 *      bed-probe status NODE        GETSTATUS
 *      bed-probe detach NODE        DETACH
 *      bed-probe reset NODE         resets the device
 *      bed-probe cancel NODE        three DNLOADs in flight, all cancelled, then GETSTATUS
 *      bed-probe flash NODE FILE    all of it, 16 DNLOADs in flight
 */
#include <fcntl.h>
#include <inttypes.h>
#include <libudev.h>
#include <libusb.h>
#include <stdio.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "core/util.h"

#define BLOCK     64
#define IN_FLIGHT 16
#define LIMIT_MS  10000

/* ---- libudev ---------------------------------------------------------------------- */

static const char *or_dash(const char *s)
{
        return s ? s : "-";
}

static void show(struct udev_device *d)
{
        printf("%s %s %s %s path=%s serial=%s initialized=%d tagged=%d usec=%s\n",
               or_dash(udev_device_get_action(d)), udev_device_get_sysname(d),
               or_dash(udev_device_get_devnode(d)), or_dash(udev_device_get_devtype(d)),
               or_dash(udev_device_get_property_value(d, "ID_PATH")),
               or_dash(udev_device_get_sysattr_value(d, "serial")), udev_device_get_is_initialized(d),
               udev_device_has_tag(d, "espdfu"),
               or_dash(udev_device_get_property_value(d, "USEC_INITIALIZED")));
        fflush(stdout);
}

static int on_event(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        struct udev_device *d = udev_monitor_receive_device(userdata);

        (void)source;
        (void)fd;
        (void)events;
        if (d) {
                show(d);
                udev_device_unref(d);
        }
        return 0;
}

static int monitor(void)
{
        struct udev *udev = udev_new();
        struct udev_monitor *m = udev_monitor_new_from_netlink(udev, "udev");
        sd_event *event = NULL;

        udev_monitor_filter_add_match_subsystem_devtype(m, "usb", "usb_device");
        udev_monitor_filter_add_match_tag(m, "espdfu");
        if (udev_monitor_enable_receiving(m) < 0 || sd_event_default(&event) < 0 ||
            sd_event_add_io(event, NULL, udev_monitor_get_fd(m), EPOLLIN, on_event, m) < 0)
                return 1;
        printf("listening on %d\n", udev_monitor_get_fd(m));
        fflush(stdout);
        return sd_event_loop(event) < 0;
}

static void show_all(struct udev_enumerate *e)
{
        struct udev_list_entry *entry;

        udev_enumerate_scan_devices(e);
        udev_list_entry_foreach(entry, udev_enumerate_get_list_entry(e))
        {
                struct udev_device *d = udev_device_new_from_syspath(udev_enumerate_get_udev(e),
                                                                     udev_list_entry_get_name(entry));

                if (d) {
                        show(d);
                        udev_device_unref(d);
                }
        }
}

static int enumerate(void)
{
        struct udev *udev = udev_new();
        struct udev_enumerate *e = udev_enumerate_new(udev);

        udev_enumerate_add_match_subsystem(e, "usb");
        udev_enumerate_add_match_tag(e, "espdfu");
        udev_enumerate_add_match_is_initialized(e);
        show_all(e);
        udev_enumerate_unref(e);
        udev_unref(udev);
        return 0;
}

static int scan(void)
{
        struct udev *udev = udev_new();
        struct udev_enumerate *e = udev_enumerate_new(udev);

        udev_enumerate_add_match_subsystem(e, "usb");
        show_all(e);
        udev_enumerate_unref(e);
        udev_unref(udev);
        printf("udevd is %s\n", access("/run/udev/control", F_OK) < 0 ? "not there" : "there");
        return 0;
}

/* ---- libusb ------------------------------------------------------------------------ */

static libusb_device_handle *open_node(const char *node)
{
        libusb_device_handle *handle = NULL;
        int fd, r;

        libusb_set_option(NULL, LIBUSB_OPTION_NO_DEVICE_DISCOVERY);
        r = libusb_init(NULL);
        fd = open(node, O_RDWR | O_CLOEXEC);
        if (fd < 0 || r < 0) {
                printf("open: %m\n");
                return NULL;
        }
        r = libusb_wrap_sys_device(NULL, fd, &handle);
        if (r == 0)
                r = libusb_claim_interface(handle, 2);
        if (r < 0) {
                printf("claim: %s\n", libusb_error_name(r));
                return NULL;
        }
        return handle;
}

static void show_status(libusb_device_handle *handle)
{
        unsigned char s[6] = { 0 };
        int r = libusb_control_transfer(handle, 0xa1, 3, 0, 2, s, sizeof(s), LIMIT_MS);

        if (r < 0)
                printf("status: %s\n", libusb_error_name(r));
        else
                printf("status: %d bytes, status %u, state %u\n", r, s[0], s[4]);
        fflush(stdout);
}

struct pipeline {
        libusb_device_handle *handle;
        FILE *file; /* NULL: a fixed block */
        unsigned in_flight, done, failed;
        bool end;
};

static void on_transfer(struct libusb_transfer *t);

/* Reads the next block into the transfer and sends it. */
static void send_next(struct pipeline *p, struct libusb_transfer *t, unsigned char *buffer)
{
        size_t n = p->file ? fread(buffer + LIBUSB_CONTROL_SETUP_SIZE, 1, BLOCK, p->file) : BLOCK;

        p->end = n < BLOCK;
        if (n == 0 || p->failed > 0)
                return;
        libusb_fill_control_setup(buffer, 0x21, 1, 0, 2, (uint16_t)n);
        libusb_fill_control_transfer(t, p->handle, buffer, on_transfer, p, 0);
        if (libusb_submit_transfer(t) == 0)
                p->in_flight++;
        else
                p->failed++;
}

static void on_transfer(struct libusb_transfer *t)
{
        struct pipeline *p = t->user_data;

        p->in_flight--;
        if (t->status == LIBUSB_TRANSFER_COMPLETED &&
            t->actual_length + (int)LIBUSB_CONTROL_SETUP_SIZE == t->length)
                p->done++;
        else
                p->failed++;
        if (p->file && !p->end)
                send_next(p, t, t->buffer);
        else if (!p->file)
                printf("transfer: status %u\n", t->status);
}

static int flash(libusb_device_handle *handle, const char *path)
{
        struct pipeline p = { .handle = handle, .file = fopen(path, "re") };
        static unsigned char buffers[IN_FLIGHT][LIBUSB_CONTROL_SETUP_SIZE + BLOCK];
        struct libusb_transfer *transfers[IN_FLIGHT];
        int r;

        if (!p.file)
                return 1;
        libusb_control_transfer(handle, 0x21, 4, 0, 2, NULL, 0, LIMIT_MS); /* CLRSTATUS: met in any state */
        for (size_t i = 0; i < IN_FLIGHT; i++)
                transfers[i] = libusb_alloc_transfer(0);
        for (size_t i = 0; i < IN_FLIGHT && !p.end; i++)
                send_next(&p, transfers[i], buffers[i]);
        while (p.in_flight > 0)
                libusb_handle_events(NULL);
        for (size_t i = 0; i < IN_FLIGHT; i++)
                libusb_free_transfer(transfers[i]);
        fclose(p.file);
        printf("blocks: %u done, %u failed\n", p.done, p.failed);
        r = libusb_control_transfer(handle, 0x21, 1, 0, 2, NULL, 0, LIMIT_MS);
        printf("manifest: %s\n", libusb_error_name(r));
        show_status(handle);
        return 0;
}

static int cancel(libusb_device_handle *handle)
{
        struct pipeline p = { .handle = handle };
        static unsigned char buffers[3][LIBUSB_CONTROL_SETUP_SIZE + BLOCK];
        struct libusb_transfer *transfers[3];

        for (size_t i = 0; i < ARRAY_SIZE(transfers); i++) {
                transfers[i] = libusb_alloc_transfer(0);
                p.end = false;
                send_next(&p, transfers[i], buffers[i]);
        }
        for (size_t i = ARRAY_SIZE(transfers); i > 0; i--)
                libusb_cancel_transfer(transfers[i - 1]);
        while (p.in_flight > 0)
                libusb_handle_events(NULL);
        for (size_t i = 0; i < ARRAY_SIZE(transfers); i++)
                libusb_free_transfer(transfers[i]);
        show_status(handle);
        return 0;
}

static _Noreturn void hold(void)
{
        printf("claimed\n");
        fflush(stdout);
        for (;;)
                pause();
}

static int with_node(const char *verb, libusb_device_handle *handle, const char *path)
{
        if (streq(verb, "status"))
                show_status(handle);
        else if (streq(verb, "reset"))
                printf("reset: %s\n", libusb_error_name(libusb_reset_device(handle)));
        else if (streq(verb, "detach"))
                printf("detach: %s\n", libusb_error_name(libusb_control_transfer(handle, 0x21, 0, 1000, 2,
                                                                                 NULL, 0, LIMIT_MS)));
        else if (streq(verb, "claim"))
                hold();
        else if (streq(verb, "cancel"))
                return cancel(handle);
        else if (streq(verb, "flash") && path)
                return flash(handle, path);
        else
                return 2;
        return 0;
}

int main(int argc, char *argv[])
{
        libusb_device_handle *handle;
        int r;

        if (argc == 2 && streq(argv[1], "monitor"))
                return monitor();
        if (argc == 2 && streq(argv[1], "enumerate"))
                return enumerate();
        if (argc == 2 && streq(argv[1], "scan"))
                return scan();
        if (argc < 3)
                return 2;
        handle = open_node(argv[2]);
        if (!handle)
                return 3;
        r = with_node(argv[1], handle, argc > 3 ? argv[3] : NULL);
        libusb_close(handle);
        libusb_exit(NULL);
        return r;
}
