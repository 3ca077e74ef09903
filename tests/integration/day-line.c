/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The line before anybody comes: hubs, slots, policies, images with their signature, and a file for each board. */
#include "tests/integration/day.h"

#include <stdio.h>
#include <sys/stat.h>

#include "core/signature.h"
#include "tests/unit/keys.h"

/* The numbers of files that boards get: more than there are boards. */
#define SPARE_FILES 40

static const char policies[] = "[policy gizmo]\n"
                               "chip = esp32s2\n"
                               "image = @s2.bin\n"
                               "board-data = 0x9000:@nvs\n"
                               "retry-delay = 500ms\n"
                               "[policy meter]\n"
                               "chip = esp32p4\n"
                               "image = @p4.bin\n"
                               "after = reset\n"
                               "retry-delay = 500ms\n"
                               "sha256 = @PIN\n"
                               "[policy bench]\n"
                               "slot = C*\n"
                               "image = @s3.bin\n"
                               "board-data = 0x9000:@cal\n"
                               "retry-delay = 500ms\n"
                               "[policy probe]\n"
                               "chip = esp32s3\n"
                               "image = @s3.bin\n"
                               "signature = required\n"
                               "reflash = never\n"
                               "retry-delay = 500ms\n";

static void sign_s3(struct day *day)
{
        g_autofree char *keys = line_path(&day->line, "conf/keys.d");
        uint8_t signature[SIGNATURE_SIZE];

        assert_int_equal(mkdir(keys, 0755), 0);
        stock_file(&day->line, "conf/keys.d/vendor.pem", PUBLIC_3, strlen(PUBLIC_3));
        assert_int_equal(signature_make(PRIVATE_3, strlen(PRIVATE_3), day->line.s3.data, day->line.s3.size,
                                        signature, NULL),
                         0);
        stock_file(&day->line, "s3.bin.sig", signature, sizeof(signature));
}

static void lay_out_slots(struct day *day)
{
        static const unsigned cascade[] = { 1, 2, 3, 4 };
        unsigned n = 0;

        bed_plug_hub(day->line.bed, "1-1", 16);
        bed_plug_hub(day->line.bed, "1-2", 4);
        bed_plug_hub(day->line.bed, "1-3", 8);
        for (unsigned i = 1; i <= 16; i++, n++) {
                g_snprintf(day->slots[n].name, sizeof(day->slots[n].name), "A%u", i);
                g_snprintf(day->slots[n].port, sizeof(day->slots[n].port), "1-1.%u", i);
        }
        for (unsigned hub = 0; hub < ARRAY_SIZE(cascade); hub++) {
                g_autofree char *port = g_strdup_printf("1-2.%u", cascade[hub]);

                bed_plug_hub(day->line.bed, port, 4);
                for (unsigned i = 1; i <= 4; i++, n++) {
                        g_snprintf(day->slots[n].name, sizeof(day->slots[n].name), "B%u", hub * 4 + i);
                        g_snprintf(day->slots[n].port, sizeof(day->slots[n].port), "%s.%u", port, i);
                }
        }
        for (unsigned i = 1; i <= 8; i++, n++) {
                g_snprintf(day->slots[n].name, sizeof(day->slots[n].name), "C%u", i);
                g_snprintf(day->slots[n].port, sizeof(day->slots[n].port), "1-3.%u", i);
        }
        assert_int_equal(n, DAY_SLOTS);
}

void day_configure(struct day *day, unsigned jobs_max)
{
        g_autofree char *pin = g_compute_checksum_for_data(G_CHECKSUM_SHA256, day->p4.data, day->p4.size);
        g_autoptr(GString) text = g_string_new(NULL);

        g_string_printf(
                text,
                "[station]\nname = line3-a\njobs-max = %u\nreturn-time = 5s\n[slot A*]\nport = 1-1.*\n"
                "[slot B*]\nport = 1-2.*\n[hub cascade]\nport = 1-2\njobs-max = %u\n",
                jobs_max, jobs_max - 1);
        for (unsigned i = 1; i <= 8; i++)
                g_string_append_printf(text, "[slot C%u]\nport = 1-3.%u\n", i, i);
        g_string_append(text, policies);
        g_string_replace(text, "@PIN", pin, 1);
        line_configure(&day->line, text->str);
}

void day_begin(struct day *day)
{
        umask(022);
        line_lay_out(&day->line, "");
        day->line.quiet = true;
        g_snprintf(day->owner, sizeof(day->owner), "ESPDFU_DATA_OWNER=%u", (unsigned)geteuid());
        day->environment[0] = day->owner;
        day->line.environment = day->environment;
        stock_image(&day->line, "s2.bin", 0x0002, 3, &day->line.s2);
        stock_image(&day->line, "s3.bin", 0x0009, 5, &day->line.s3);
        stock_image(&day->line, "p4.bin", 0x0012, 7, &day->p4);
        sign_s3(day);
        stock_folder(&day->line, "nvs", 2 * day->n_boards + SPARE_FILES);
        stock_folder(&day->line, "cal", day->n_boards + SPARE_FILES);
        lay_out_slots(day);
        day_configure(day, 6);
        start_daemon(&day->line);
}
