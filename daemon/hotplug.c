/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/hotplug.h"

#include <unistd.h>

#include "daemon/log.h"

#define MONITOR_BUFFER (8 * 1024 * 1024) /* bytes: 120 boards come and go at once when a controller resets */

struct hotplug {
        struct udev *udev;
        struct udev_monitor *monitor;
        sd_event_source *source;
        const struct hotplug_ops *ops;
        void *userdata;
};

struct hotplug *hotplug_free(struct hotplug *h)
{
        sd_event_source_disable_unref(h->source);
        udev_monitor_unref(h->monitor);
        udev_unref(h->udev);
        free(h);
        return NULL;
}

static void device_arrived(struct hotplug *h, struct udev_device *device)
{
        struct board *board;
        int r = board_from_udev(device, &board);

        if (r == 0)
                h->ops->arrived(h->userdata, board);
        else if (r < 0 && r != -ENOENT && r != -ENODEV) /* these two: gone again, and its own event says so */
                log_warning("USB device %s cannot be looked at: %s", udev_device_get_syspath(device),
                            strerror(-r));
}

static void device_left(struct hotplug *h, struct udev_device *device)
{
        const char *devnum = udev_device_get_property_value(device, "DEVNUM");

        h->ops->left(h->userdata, udev_device_get_sysname(device),
                     devnum ? (unsigned)strtoul(devnum, NULL, 10) : 0);
}

static int on_event(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        struct hotplug *h = userdata;
        struct udev_device *device = udev_monitor_receive_device(h->monitor);
        const char *action;

        (void)source, (void)fd, (void)revents;
        if (!device) {
                if (errno == ENOBUFS) {
                        log_warning("udev sent more events than its buffer of %d bytes holds: looking at all "
                                    "boards anew",
                                    MONITOR_BUFFER);
                        h->ops->lost(h->userdata);
                }
                return 0;
        }
        action = udev_device_get_action(device);
        if (streq_ptr(action, "remove"))
                device_left(h, device);
        else if (!streq_ptr(action, "unbind"))
                device_arrived(h, device);
        udev_device_unref(device);
        return 0;
}

static int start_monitor(struct hotplug *h, sd_event *event)
{
        int r;

        h->monitor = udev_monitor_new_from_netlink(h->udev, "udev");
        if (!h->monitor)
                return -errno;
        r = udev_monitor_filter_add_match_subsystem_devtype(h->monitor, "usb", "usb_device");
        if (r < 0)
                return r;
        udev_monitor_set_receive_buffer_size(h->monitor,
                                             MONITOR_BUFFER); /* as much of it as the system allows */
        r = udev_monitor_enable_receiving(h->monitor);
        if (r < 0)
                return r;
        return sd_event_add_io(event, &h->source, udev_monitor_get_fd(h->monitor), EPOLLIN, on_event, h);
}

int hotplug_new(sd_event *event, const struct hotplug_ops *ops, void *userdata, struct hotplug **ret)
{
        _cleanup_(hotplug_freep) struct hotplug *h = calloc(1, sizeof(*h));
        int r;

        if (!h)
                return -ENOMEM;
        h->ops = ops;
        h->userdata = userdata;
        h->udev = udev_new();
        if (!h->udev)
                return -errno;
        r = start_monitor(h, event);
        if (r < 0)
                return r;
        *ret = take_ptr(h);
        return 0;
}

/* A board whose rules are still to run is told of by the event that follows them. Without a udevd there is none. */
static bool rules_are_through(struct udev_device *device)
{
        return udev_device_get_is_initialized(device) > 0 ||
               udev_device_get_property_value(device, "ID_PATH") || access("/run/udev/control", F_OK) < 0;
}

static void tell_of(struct hotplug *h, const char *syspath)
{
        struct udev_device *device = udev_device_new_from_syspath(h->udev, syspath);

        if (!device)
                return; /* gone again */
        if (rules_are_through(device))
                device_arrived(h, device);
        udev_device_unref(device);
}

int hotplug_scan(struct hotplug *h)
{
        struct udev_enumerate *enumerate = udev_enumerate_new(h->udev);
        struct udev_list_entry *entry;
        int r;

        if (!enumerate)
                return -ENOMEM;
        r = udev_enumerate_add_match_subsystem(enumerate, "usb");
        if (r >= 0)
                r = udev_enumerate_add_match_property(enumerate, "DEVTYPE", "usb_device");
        if (r >= 0)
                r = udev_enumerate_scan_devices(enumerate);
        if (r >= 0)
                udev_list_entry_foreach(entry, udev_enumerate_get_list_entry(enumerate))
                        tell_of(h, udev_list_entry_get_name(entry));
        udev_enumerate_unref(enumerate);
        return MIN(r, 0);
}
