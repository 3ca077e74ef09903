/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "tests/fuzz/seeds.h"
#include "tests/unit/fixtures.h"

/* Who takes them, and a name for less to write. */
struct seeds {
        take_seed take;
        void *userdata;
};

static void give(const struct seeds *seeds, const void *data, size_t size)
{
        seeds->take(seeds->userdata, data, size);
}

/* ---- images ---- */

/* What is sent alone, without the padding: the target puts a suffix behind. */
static void give_payload(const struct seeds *seeds, const struct bytes *image)
{
        size_t len = image->len - IMAGE_SUFFIX_SIZE;

        while (len > 0 && image->data[len - 1] == 0)
                len--;
        give(seeds, image->data, len);
}

static void image_seeds(const struct seeds *seeds)
{
        struct bytes image = fixture_board_image(chip_by_name("esp32s2"));
        struct fixture_archive a;

        give_payload(seeds, &image);
        bytes_done(&image);
        fixture_archive_small(&a);
        image = fixture_archive_make(&a);
        give_payload(seeds, &image);
        bytes_done(&image);
        a.block = 1;
        image = fixture_archive_make(&a);
        give(seeds, image.data, image.len);
        bytes_done(&image);
        fixture_archive_done(&a);
}

/* ---- all ---- */

static const struct {
        const char *target;
        void (*make)(const struct seeds *seeds);
} table[] = {
        { "image", image_seeds },
};

const char *seeds_target(size_t index)
{
        return index < ARRAY_SIZE(table) ? table[index].target : NULL;
}

bool seeds_of(const char *target, take_seed take, void *userdata)
{
        const struct seeds seeds = { take, userdata };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++)
                if (streq(table[i].target, target)) {
                        table[i].make(&seeds);
                        return true;
                }
        return false;
}
