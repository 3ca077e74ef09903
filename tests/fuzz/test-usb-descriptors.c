/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The descriptors of a board; what follows the first NUL after byte 255, if any, is what it says as its serial number. */
#include "core/device.h"
#include "tests/fuzz/fuzz.h"

static bool is_rom(const uint8_t *data, size_t len)
{
        bool any = false;

        for (size_t i = 0; chip_at(i); i++)
                any = any || usb_descriptors_are_rom(data, len, chip_at(i));
        return any;
}

static void check_interface(const uint8_t *data, size_t len)
{
        struct dfu_interface found = { 0 };
        int r = usb_find_dfu_interface(data, len, &found);

        must(r == 0 || r == 1 || r == -EBADMSG);
        if (is_rom(data, len)) {
                must(r == 0 && found.interface == 2 && found.transfer_size == DFU_ROM_TRANSFER_SIZE);
                must(len == USB_DEVICE_DESCRIPTOR_SIZE + USB_ROM_CONFIGURATION_SIZE);
        }
}

static void check_device(const uint8_t *data, size_t len, const char *serial)
{
        struct device device = {
                .port = strdup("1-4.1"),
                .manufacturer = strdup("Espressif"),
                .product = strdup("ESP32-S3"),
                .serial = strdup(serial),
        };
        json_t *json;

        device_identify(&device, data, len);
        must(device.mode < DEVICE_MODE_MAX_);
        must(!device_is_rom(&device) || (is_rom(data, len) && device.chip && device_is_for_station(&device)));
        must(!device.mac || chip_serial_is_mac(device.mac));
        json = device_to_json(&device);
        must(json);
        json_decref(json);
        device_done(&device);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(freep) char *serial = NULL;
        struct usb_device_ids ids;
        size_t len = size;

        for (size_t i = 255; i < size && len == size; i++)
                if (data[i] == 0)
                        len = i;
        serial = len < size ? strndup((const char *)data + len + 1, size - len - 1)
                            : strdup("7c:df:a1:0b:00:12");
        must(serial);
        must(usb_device_ids_parse(data, len, &ids) == 0 || len < USB_DEVICE_DESCRIPTOR_SIZE ||
             data[0] < USB_DEVICE_DESCRIPTOR_SIZE || data[1] != 1);
        check_interface(data, len);
        check_device(data, len, serial);
        return 0;
}
