/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/demo/firmware.h"

#include <limits.h>
#include <stdio.h>

#include "tests/unit/fixtures.h"

#define BOOTLOADER_SIZE 20480 /* bytes, as usual */

/* Releases contents. */
static int write_part(const char *dir, const char *name, const char *part, struct bytes contents)
{
        char path[PATH_MAX];
        FILE *f;
        int r = 0;

        snprintf(path, sizeof(path), "%s/%s-%s.bin", dir, name, part);
        f = fopen(path, "we");
        if (!f || fwrite(contents.data, 1, contents.len, f) != contents.len)
                r = -errno;
        if (f && fclose(f) == EOF && r == 0)
                r = -errno;
        bytes_done(&contents);
        return r;
}

int firmware_write(const struct firmware *firmware, const char *dir)
{
        static const struct fixture_partition partitions[] = {
                { 1, 2, 0x9000, 0x6000, "nvs" },
                { 1, 1, 0xf000, 0x1000, "phy_init" },
                { 0, 0, 0x10000, 0x180000, "factory" },
        };
        int r;

        r = write_part(dir, firmware->name, "bootloader",
                       fixture_esp_image_of_size(firmware->chip_id, "", NULL, BOOTLOADER_SIZE));
        if (r == 0)
                r = write_part(dir, firmware->name, "partitions",
                               fixture_partition_table(partitions, ARRAY_SIZE(partitions)));
        if (r == 0)
                r = write_part(dir, firmware->name, "app",
                               fixture_esp_image_of_size(firmware->chip_id, firmware->name, firmware->version,
                                                         firmware->app_size));
        return r;
}
