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

/* How many ports it has; 0: it is no hub. */
static unsigned hub_ports(struct udev_device *device)
{
        const char *class = udev_device_get_sysattr_value(device, "bDeviceClass");
        const char *ports = streq_ptr(class, "09") ? udev_device_get_sysattr_value(device, "maxchild") : NULL;

        return ports ? (unsigned)strtoul(ports, NULL, 10) : 0;
}

static void look_at_hub(struct hotplug *h, struct udev_device *device)
{
        unsigned n_ports = hub_ports(device);

        if (n_ports > 0)
                h->ops->hub(h->userdata, udev_device_get_property_value(device, "ID_PATH"),
                            udev_device_get_sysname(device), n_ports);
}

static void device_arrived(struct hotplug *h, struct udev_device *device)
{
        const char *action = udev_device_get_action(device); /* NULL: it was there */
        struct board *board;
        int r = board_from_udev(device, &board);

        if (r == 0)
                h->ops->arrived(h->userdata, board);
        else if (r > 0 && (!action || streq(action, "add")))
                look_at_hub(h, device);
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

static int tell_of(struct hotplug *h, const char *syspath, void *userdata)
{
        struct udev_device *device = udev_device_new_from_syspath(h->udev, syspath);

        (void)userdata;
        if (!device)
                return 0; /* gone again */
        if (rules_are_through(device))
                device_arrived(h, device);
        udev_device_unref(device);
        return 0;
}

/* Calls use() for each USB device, with userdata, that has this attribute (NULL: for all). */
static int each_device(struct hotplug *h, const char *attribute, const char *value,
                       int (*use)(struct hotplug *h, const char *syspath, void *userdata), void *userdata)
{
        struct udev_enumerate *enumerate = udev_enumerate_new(h->udev);
        struct udev_list_entry *entry;
        int r;

        if (!enumerate)
                return -ENOMEM;
        r = udev_enumerate_add_match_subsystem(enumerate, "usb");
        if (r >= 0)
                r = udev_enumerate_add_match_property(enumerate, "DEVTYPE", "usb_device");
        if (r >= 0 && attribute)
                r = udev_enumerate_add_match_sysattr(enumerate, attribute, value);
        if (r >= 0)
                r = udev_enumerate_scan_devices(enumerate);
        if (r >= 0)
                udev_list_entry_foreach(entry, udev_enumerate_get_list_entry(enumerate)) if (r >= 0)
                        r = use(h, udev_list_entry_get_name(entry), userdata);
        udev_enumerate_unref(enumerate);
        return MIN(r, 0);
}

int hotplug_scan(struct hotplug *h)
{
        return each_device(h, NULL, NULL, tell_of, NULL);
}

static int add_hub(struct hotplug *h, const char *syspath, void *userdata)
{
        struct udev_device *device = udev_device_new_from_syspath(h->udev, syspath);
        unsigned n_ports = device ? hub_ports(device) : 0;
        int r = 0;

        if (n_ports > 0)
                r = seen_hubs_add(userdata, udev_device_get_property_value(device, "ID_PATH"),
                                  udev_device_get_sysname(device), n_ports);
        udev_device_unref(device);
        return r == -ENOMEM ? r : 0; /* one that cannot be is none */
}

int hotplug_find_hubs(struct hotplug *h, struct seen_hubs *hubs)
{
        return each_device(h, "bDeviceClass", "09", add_hub, hubs);
}
