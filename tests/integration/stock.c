/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/integration/stock.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

unsigned stock_number(const char *name, unsigned otherwise)
{
        const char *text = getenv(name);

        return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

void stock_lay_out(struct line *line, struct stock_environment *environment, const char *config,
                   unsigned n_first, unsigned n_second)
{
        umask(022);
        line_lay_out(line, config);
        line->quiet = true;
        g_snprintf(environment->owner, sizeof(environment->owner), "ESPDFU_DATA_OWNER=%u",
                   (unsigned)geteuid());
        environment->variables[0] = environment->owner;
        line->environment = environment->variables;
        stock_image(line, "s2.bin", 0x0002, 3, &line->s2);
        stock_image(line, "s3.bin", 0x0009, 5, &line->s3);
        bed_plug_hub(line->bed, "1-1", n_first);
        bed_plug_hub(line->bed, "1-2", n_second);
}

void stock_file(struct line *line, const char *name, const void *data, size_t len)
{
        g_autofree char *path = line_path(line, name);

        assert_true(g_file_set_contents(path, data, (gssize)len, NULL));
        assert_int_equal(chmod(path, 0644), 0);
}

void stock_image(struct line *line, const char *name, uint16_t pid, unsigned seed, struct sample_image *image)
{
        const struct sample_spec spec = {
                .pid = pid,
                .flash_size = STOCK_FLASH_SIZE,
                .files = { { "boot.bin", STOCK_BOOT_ADDRESS, STOCK_BOOT_SIZE, seed },
                           { "app.bin", STOCK_APP_ADDRESS, STOCK_APP_SIZE, seed + 2 } },
                .n_files = 2,
        };
        g_autofree char *path = line_path(line, name);

        sample_image_done(image);
        sample_image_make(&spec, image);
        assert_int_equal(sample_image_write(image, path), 0);
}

void stock_folder(struct line *line, const char *name, unsigned n)
{
        g_autofree char *folder = line_path(line, name);

        assert_int_equal(mkdir(folder, 0755), 0);
        for (unsigned i = 0; i < n; i++) {
                g_autofree char *file = g_strdup_printf("%s/unit-%u.bin", name, i);
                uint8_t content[STOCK_DATA_SIZE];

                sample_fill(content, sizeof(content), i + 17);
                g_snprintf((char *)content, 64, "%s", file); /* no two are alike */
                stock_file(line, file, content, sizeof(content));
        }
}

/* ---- flash arrays ---- */

void stock_fill_flash(struct rom *rom)
{
        rom_flash_fill(rom, 0, STOCK_OLD_BYTE, STOCK_OLD_SIZE);
}

static void expect_old_bytes(const struct rom *rom, uint32_t from, uint32_t to)
{
        g_autofree uint8_t *old = g_malloc(to - from);

        memset(old, STOCK_OLD_BYTE, to - from);
        if (!rom_flash_equals(rom, from, old, to - from))
                fail_msg("board %s: something was written between %#x and %#x", rom_serial(rom), from, to);
}

static uint32_t sector_end(uint32_t address)
{
        return (address + ROM_SECTOR_SIZE - 1) / ROM_SECTOR_SIZE * ROM_SECTOR_SIZE;
}

void stock_expect_untouched(const struct rom *rom)
{
        expect_old_bytes(rom, 0, STOCK_OLD_SIZE);
}

void stock_expect_nothing_beside(const struct rom *rom, bool has_data)
{
        uint32_t data_end = STOCK_DATA_ADDRESS + STOCK_DATA_SIZE;

        expect_old_bytes(rom, 0, STOCK_BOOT_ADDRESS);
        expect_old_bytes(rom, sector_end(STOCK_BOOT_ADDRESS + STOCK_BOOT_SIZE), STOCK_DATA_ADDRESS);
        if (!has_data)
                expect_old_bytes(rom, STOCK_DATA_ADDRESS, data_end);
        expect_old_bytes(rom, data_end, STOCK_APP_ADDRESS);
        expect_old_bytes(rom, sector_end(STOCK_APP_ADDRESS + STOCK_APP_SIZE), STOCK_OLD_SIZE);
        assert_true(rom_flash_is_blank(rom, STOCK_OLD_SIZE, STOCK_FLASH_SIZE - STOCK_OLD_SIZE));
}

void stock_expect_blank_ends(const struct rom *rom)
{
        uint32_t boot_end = STOCK_BOOT_ADDRESS + STOCK_BOOT_SIZE,
                 app_end = STOCK_APP_ADDRESS + STOCK_APP_SIZE;

        assert_true(rom_flash_is_blank(rom, boot_end, sector_end(boot_end) - boot_end));
        assert_true(rom_flash_is_blank(rom, app_end, sector_end(app_end) - app_end));
}

void stock_expect_flashed(const struct rom *rom, const struct sample_image *image, bool has_data)
{
        assert_int_equal(rom_counters(rom)->raw_downloads, 0);
        assert_int_equal(rom_counters(rom)->violations, 0);
        stock_expect_nothing_beside(rom, has_data);
        if (!rom_flash_has_image(rom, image->data, image->payload_size))
                fail_msg("board %s: its flash is not the image", rom_serial(rom));
        stock_expect_blank_ends(rom);
}
