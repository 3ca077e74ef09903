/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/devices.h"

#include <grp.h>
#include <libudev.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/printable.h"
#include "io/file.h"

#define TEXT_MAX 126 /* characters in a USB string descriptor */

static int copy_attribute(struct udev_device *from, const char *name, char **ret)
{
        const char *text = udev_device_get_sysattr_value(from, name);

        if (!text)
                return 0;
        *ret = strndup(text, TEXT_MAX);
        if (!*ret)
                return -ENOMEM;
        make_printable(*ret);
        return 0;
}

static int copy_texts(struct udev_device *from, struct device *ret)
{
        const struct {
                const char *name;
                char **ret;
        } attributes[] = {
                { "manufacturer", &ret->manufacturer },
                { "product", &ret->product },
                { "serial", &ret->serial },
                { "power/control", &ret->power_control },
        };
        int r = free_and_strdup(&ret->port, udev_device_get_sysname(from));

        if (r == 0)
                r = free_and_strdup(&ret->path, udev_device_get_property_value(from, "ID_PATH"));
        if (r == 0)
                r = free_and_strdup(&ret->node, udev_device_get_devnode(from));
        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(attributes); i++)
                r = copy_attribute(from, attributes[i].name, attributes[i].ret);
        return r;
}

/* A name; its number where there is none. */
static char *name_or_number(const char *name, unsigned number)
{
        char *text;

        if (name)
                return strdup(name);
        return asprintf(&text, "%u", number) < 0 ? NULL : text;
}

static int look_at_node(struct device *device)
{
        const struct passwd *owner;
        const struct group *group;
        struct stat st;

        if (!device->node || stat(device->node, &st) < 0)
                return 0;
        owner = getpwuid(st.st_uid);
        device->owner = name_or_number(owner ? owner->pw_name : NULL, (unsigned)st.st_uid);
        group = getgrgid(st.st_gid);
        device->group = name_or_number(group ? group->gr_name : NULL, (unsigned)st.st_gid);
        device->gid = (unsigned)st.st_gid;
        device->rights = st.st_mode & 07777;
        device->group_may = (st.st_mode & 0060) == 0060;
        device->may_open = access(device->node, R_OK | W_OK) == 0;
        return device->owner && device->group ? 0 : -ENOMEM;
}

static int look_at(struct udev_device *from, struct device *ret)
{
        const char *syspath = udev_device_get_syspath(from);
        const char *ignored = udev_device_get_property_value(from, "ID_MM_DEVICE_IGNORE");
        _cleanup_(freep) char *name = NULL;
        _cleanup_(freep) uint8_t *bytes = NULL;
        size_t len = 0;
        int r = copy_texts(from, ret);

        if (r == 0)
                r = look_at_node(ret);
        if (r < 0)
                return r;
        ret->tagged = udev_device_has_tag(from, "espdfu") > 0;
        ret->mm_ignored = streq_ptr(ignored, "1");
        if (asprintf(&name, "%s/descriptors", syspath) < 0)
                return name = NULL, -ENOMEM;
        if (file_read_attribute(name, USB_DESCRIPTORS_MAX, &bytes, &len) < 0)
                bytes = NULL;
        device_identify(ret, bytes, len);
        return 0;
}

/* One that left meanwhile is left out. */
static int add(struct udev *udev, const char *syspath, struct device **devices, size_t *n)
{
        struct udev_device *from = udev_device_new_from_syspath(udev, syspath);
        struct device *more, device = { 0 };
        int r;

        if (!from)
                return 0;
        r = udev_device_get_sysname(from) ? look_at(from, &device) : 1;
        udev_device_unref(from);
        more = r == 0 ? reallocarray(*devices, *n + 1, sizeof(**devices)) : NULL;
        if (!more) {
                device_done(&device);
                return r == 0 ? -ENOMEM : MIN(r, 0);
        }
        more[(*n)++] = device;
        *devices = more;
        return 0;
}

static int scan(struct udev *udev, struct udev_enumerate *enumerate, struct device **devices, size_t *n)
{
        struct udev_list_entry *entry;
        int r = udev_enumerate_add_match_subsystem(enumerate, "usb");

        if (r >= 0)
                r = udev_enumerate_add_match_sysattr(enumerate, "idVendor", "303a");
        if (r >= 0)
                r = udev_enumerate_scan_devices(enumerate);
        udev_list_entry_foreach(entry, udev_enumerate_get_list_entry(enumerate))
        {
                if (r >= 0 && *n < DEVICES_MAX)
                        r = add(udev, udev_list_entry_get_name(entry), devices, n);
        }
        return MIN(r, 0);
}

int devices_look(struct device **ret, size_t *ret_n)
{
        struct udev *udev = udev_new();
        struct udev_enumerate *enumerate = udev ? udev_enumerate_new(udev) : NULL;
        struct device *devices = NULL;
        size_t n = 0;
        int r = enumerate ? scan(udev, enumerate, &devices, &n) : -ENOMEM;

        if (enumerate)
                udev_enumerate_unref(enumerate);
        if (udev)
                udev_unref(udev);
        if (r < 0) {
                devices_free(devices, n);
                return r;
        }
        if (n > 0)
                qsort(devices, n, sizeof(*devices), device_compare);
        *ret = devices;
        *ret_n = n;
        return 0;
}

const struct device *devices_find(const struct device *devices, size_t n, const char *where)
{
        for (size_t i = 0; i < n; i++)
                if (device_is_at(&devices[i], where))
                        return &devices[i];
        return NULL;
}
