/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/chip.h"

static const struct chip chips[] = {
        { "esp32s2", "S2", "ESP32-S2", 0x0002, 0x0723, false },
        { "esp32s3", "S3", "ESP32-S3", 0x0009, 0x0728, true },
        { "esp32p4", "P4", "ESP32-P4", 0x0012, 0x0912, true },
        { "esp32s31", "S31", "ESP32-S31", 0x0020, 0x0764, true },
};

const struct chip *chip_at(size_t index)
{
        return index < ARRAY_SIZE(chips) ? &chips[index] : NULL;
}

const struct chip *chip_by_pid(uint16_t pid)
{
        for (size_t i = 0; i < ARRAY_SIZE(chips); i++)
                if (chips[i].pid == pid)
                        return &chips[i];
        return NULL;
}

const struct chip *chip_by_name(const char *name)
{
        for (size_t i = 0; i < ARRAY_SIZE(chips); i++)
                if (streq(chips[i].name, name))
                        return &chips[i];
        return NULL;
}

bool chip_serial_is_mac(const char *serial)
{
        static const char form[] = "xx:xx:xx:xx:xx:xx";

        if (strlen(serial) != sizeof(form) - 1)
                return false;
        for (size_t i = 0; form[i]; i++)
                if (form[i] == 'x' ? !strchr("0123456789abcdef", serial[i]) : serial[i] != form[i])
                        return false;
        return true;
}
