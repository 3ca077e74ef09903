/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/device.h"

#include <stdio.h>

#include "core/fields.h"

static const char *const mode_words[DEVICE_MODE_MAX_] = {
        [DEVICE_ROM] = "rom",
        [DEVICE_ROM_DFU] = "rom-dfu",
        [DEVICE_APPLICATION] = "application",
        [DEVICE_APPLICATION_DFU] = "application-dfu",
        [DEVICE_SERIAL_JTAG] = "serial-jtag",
        [DEVICE_UNREADABLE] = "unreadable",
};
DEFINE_WORDS(device_mode, mode_words)

void device_done(struct device *device)
{
        free(device->port);
        free(device->path);
        free(device->node);
        free(device->owner);
        free(device->group);
        free(device->serial);
        free(device->manufacturer);
        free(device->product);
        free(device->power_control);
        *device = (struct device){ 0 };
}

void devices_free(struct device *devices, size_t n)
{
        for (size_t i = 0; i < n; i++)
                device_done(&devices[i]);
        free(devices);
}

static enum device_mode mode_of(const struct device *device, const uint8_t *descriptors, size_t len)
{
        struct dfu_interface dfu;
        int r;

        if (device->ids.pid == ESP_SERIAL_JTAG_PID)
                return DEVICE_SERIAL_JTAG;
        r = usb_find_dfu_interface(descriptors, len, &dfu);
        if (r < 0)
                return DEVICE_UNREADABLE;
        if (r > 0)
                return DEVICE_APPLICATION;
        if (device->chip && usb_descriptors_are_rom(descriptors, len, device->chip) &&
            usb_strings_are_rom(device->chip, device->manufacturer, device->product, device->serial))
                return dfu.dfu_mode ? DEVICE_ROM_DFU : DEVICE_ROM;
        return DEVICE_APPLICATION_DFU;
}

void device_identify(struct device *device, const uint8_t *descriptors, size_t len)
{
        device->mode = DEVICE_UNREADABLE;
        if (!descriptors || usb_device_ids_parse(descriptors, len, &device->ids) < 0)
                return;
        device->chip = device->ids.vid == ESP_VENDOR_ID ? chip_by_pid(device->ids.pid) : NULL;
        if (device->serial && chip_serial_is_mac(device->serial))
                device->mac = device->serial;
        device->mode = mode_of(device, descriptors, len);
}

bool device_is_for_station(const struct device *device)
{
        return device->ids.vid == ESP_VENDOR_ID && device->ids.pid >> 8 == 0;
}

bool device_is_rom(const struct device *device)
{
        return device->mode == DEVICE_ROM || device->mode == DEVICE_ROM_DFU;
}

const char *device_id(const struct device *device, char buf[static DEVICE_ID_SIZE])
{
        snprintf(buf, DEVICE_ID_SIZE, "%04x:%04x", device->ids.vid, device->ids.pid);
        return buf;
}

int device_compare(const void *a, const void *b)
{
        const struct device *one = a, *other = b;

        return strverscmp(one->port, other->port);
}

bool device_is_at(const struct device *device, const char *where)
{
        return streq_ptr(device->port, where) || streq_ptr(device->path, where);
}

json_t *device_to_json(const struct device *device)
{
        static const struct field fields[] = {
                FIELD(TEXT, device, port),
                FIELD(TEXT_OR_NULL, device, path),
                FIELD(TEXT_OR_NULL, device, node),
                FIELD(TEXT_OR_NULL, device, owner),
                FIELD(TEXT_OR_NULL, device, group),
                FIELD(BOOL, device, may_open),
                FIELD(BOOL, device, tagged),
                FIELD(BOOL, device, mm_ignored),
                FIELD(TEXT_OR_NULL, device, power_control),
                FIELD(TEXT_OR_NULL, device, manufacturer),
                FIELD(TEXT_OR_NULL, device, product),
                FIELD(TEXT_OR_NULL, device, serial),
        };
        char id[DEVICE_ID_SIZE], bcd_device[8], rights[8];
        json_t *object = fields_to_json(fields, ARRAY_SIZE(fields), device), *more;

        snprintf(bcd_device, sizeof(bcd_device), "%04x", device->ids.bcd_device);
        snprintf(rights, sizeof(rights), "%04o", device->rights & 07777U);
        more = json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:s?}", "id", device_id(device, id), "bcd_device",
                         bcd_device, "mode", device_mode_to_string(device->mode), "chip",
                         device->chip ? device->chip->name : NULL, "mac", device->mac, "rights",
                         device->node ? rights : NULL);
        if (!object || json_object_update(object, more) < 0) {
                json_decref(object);
                object = NULL;
        }
        json_decref(more);
        return object;
}
