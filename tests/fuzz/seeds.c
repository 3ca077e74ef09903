/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "core/cpio.h"
#include "core/engine-message.h"
#include "core/messages.h"
#include "core/probe.h"
#include "core/signature.h"
#include "core/usb-descriptors.h"
#include "core/varlink.h"
#include "tests/fleet/records.h"
#include "tests/fuzz/seeds.h"
#include "tests/unit/dfu-chaos.h"
#include "tests/unit/fixtures.h"
#include "tests/unit/job-walk.h"
#include "tests/unit/keys.h"
#include "tests/unit/samples.h"

/* Who takes them, and a name for less to write. */
struct seeds {
        take_seed take;
        void *userdata;
};

static void give(const struct seeds *seeds, const void *data, size_t size)
{
        seeds->take(seeds->userdata, data, size);
}

static void give_text(const struct seeds *seeds, const char *text)
{
        give(seeds, text, strlen(text));
}

/* Takes it over. */
static void give_json(const struct seeds *seeds, json_t *json)
{
        char *text = json_dumps(json, JSON_COMPACT);

        if (!text)
                abort();
        give_text(seeds, text);
        free(text);
        json_decref(json);
}

/* A file of the source tree. */
static void give_file(const struct seeds *seeds, const char *name)
{
        char data[64 * KIB];
        size_t n;
        FILE *f = fopen(name, "rb");

        if (!f) {
                perror(name);
                abort();
        }
        n = fread(data, 1, sizeof(data), f);
        fclose(f);
        give(seeds, data, n);
}

static void must_append(struct bytes *bytes, const void *data, size_t size)
{
        if (bytes_append(bytes, data, size) < 0)
                abort();
}

/* ---- images ---- */

/* Bytes of what is sent, without the padding: up to the trailer's NUL, and a multiple of 4. */
static size_t bare_length(const struct bytes *image)
{
        size_t len = image->len - IMAGE_SUFFIX_SIZE;

        while (len > 0 && image->data[len - 1] == 0)
                len--;
        return (len + 1 + 3) / 4 * 4;
}

/* The target puts a suffix behind. */
static void give_payload(const struct seeds *seeds, const struct bytes *image)
{
        give(seeds, image->data, bare_length(image));
}

/* All kinds of files, each as small as it can be: fuzzing is as fast as what it plays with is small. */
static struct bytes tiny_image(void)
{
        static const struct fixture_partition partitions[] = {
                { 1, 2, 0x9000, 0x6000, "nvs" },
                { 0, 0, 0x10000, 0x100000, "factory" },
        };
        struct bytes table = fixture_partition_table(partitions, ARRAY_SIZE(partitions));
        struct bytes app = fixture_esp_image_of_size(0x0002, "gizmo", "1.4.2", 1), image;
        struct fixture_archive a;

        fixture_archive_init(&a);
        fixture_archive_add(&a, "pt.bin", 0x8000, table.data, 128);
        fixture_archive_add(&a, "nvs.bin", 0x9000, "12345", 5);
        fixture_archive_add(&a, "app.bin", 0x10000, app.data, app.len);
        image = fixture_archive_make(&a);
        fixture_archive_done(&a);
        bytes_done(&table);
        bytes_done(&app);
        return image;
}

/* With an edit behind its trailer, as the target has them: record 2's address. */
static void give_edited(const struct seeds *seeds, const struct bytes *image)
{
        static const uint8_t edit[] = { 2, 0, 0x00, 0x02 };
        struct bytes edited = { 0 };

        must_append(&edited, image->data, bare_length(image));
        must_append(&edited, edit, sizeof(edit));
        give(seeds, edited.data, edited.len);
        bytes_done(&edited);
}

static void image_seeds(const struct seeds *seeds)
{
        struct bytes image = fixture_board_image(chip_by_name("esp32s2"));
        struct fixture_archive a;

        give_payload(seeds, &image);
        bytes_done(&image);
        image = tiny_image();
        give_payload(seeds, &image);
        give_edited(seeds, &image);
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

static void cpio_seeds(const struct seeds *seeds)
{
        struct bytes archive = { 0 };

        image_seeds(seeds);
        if (cpio_append(&archive, "a", (const uint8_t *)"12345", 5) < 0 || cpio_append_trailer(&archive) < 0)
                abort();
        give(seeds, archive.data, archive.len);
        archive.data[5] = '2';
        give(seeds, archive.data, archive.len);
        bytes_done(&archive);
}

static void flash_file_seeds(const struct seeds *seeds)
{
        static const struct fixture_partition partitions[] = {
                { 1, 2, 0x9000, 0x6000, "nvs" },
                { 0, 0, 0x10000, 0x100000, "factory" },
        };
        struct bytes file = fixture_partition_table(partitions, ARRAY_SIZE(partitions));

        give(seeds, file.data, file.len);
        give(seeds, file.data, 96);
        bytes_done(&file);
        file = fixture_esp_image(0x0009, "gizmo", "1.4.2");
        give(seeds, file.data, file.len);
        bytes_done(&file);
        file = fixture_esp_image(0x0002, "", NULL);
        give(seeds, file.data, file.len);
        bytes_done(&file);
}

static void flasher_args_seeds(const struct seeds *seeds)
{
        give_text(seeds, FLASHER_ARGS_OF_A_BUILD);
        give_text(seeds, "{\"flash_files\":{\"0x0\":\"a\"},\"flash_settings\":{\"flash_size\":[1, 2]}}");
        give_text(seeds, "128MB");
}

/* ---- what people write ---- */

static void config_seeds(const struct seeds *seeds)
{
        give_file(seeds, TOP_SRCDIR "/conf/espdfud.conf");
        give_file(seeds, TOP_SRCDIR "/docs/examples/line.conf");
        give_text(seeds, CONFIG_EVERYTHING);
        give_text(
                seeds,
                "[slot B*]\npath = pci-0000:00:14.0-usb-0:2.*\n[slot B7]\npath = pci-0000:00:14.0-usb-0:2.7\n"
                "[slot C*]\nport = 1-*\n");
        give_text(seeds, "[policy a]\nimage = /a\nboard-data = 0x9000:/srv/a\nslot = [A-C]?\n");
        give_text(seeds, LAYOUT_OF_A_RANGE);
}

static void history_seeds(const struct seeds *seeds)
{
        give_text(seeds,
                  "A1\n7c:df:a1:0b:00:12\ngizmo\nboard-error\n2026-11-01 14:00\n2026-11-02T14:00:30 UTC\n");
        give_text(seeds, "1-4.1\n7CDFA10B0012\n6192a3b4\nflashed\n2h\n\n");
        give_text(seeds, "=1+1\n\n\n\nyesterday\ntoday 14:00\n");
}

static void signature_seeds(const struct seeds *seeds)
{
        static const uint8_t signature[SIGNATURE_SIZE] = { 1, 2, 3 };
        char text[SIGNATURE_BASE64_SIZE];

        give_text(seeds, PRIVATE_1);
        give_text(seeds, PUBLIC_1);
        signature_to_base64(signature, text);
        give_text(seeds, text);
        give(seeds, signature, sizeof(signature));
}

/* ---- what the machine, the board and the programs say ---- */

static void kernel_log_seeds(const struct seeds *seeds)
{
        static const char *const lines[] = {
                KERNEL_BAD_CABLE,
                "Nov 27 07:22:48 line3 kernel: usb 1-4.1-port2: over-current condition",
                "<3>usb 1-4.2: new low-speed USB device number 9 using xhci_hcd",
                "<3>usb 1-4.2: device descriptor read/64, error -32",
                "hub 1-0:1.0: Cannot enable. Maybe the USB cable is bad? port 4",
                "xhci_hcd 0000:00:14.0: Not enough host controller resources for new device state.",
                "usb 1-4: New USB device found, idVendor=303a, idProduct=0002, bcdDevice= 1.00",
        };
        struct bytes all = { 0 };

        for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
                give_text(seeds, lines[i]);
                must_append(&all, lines[i], strlen(lines[i]));
                must_append(&all, "\n", 1);
        }
        give(seeds, all.data, all.len);
        bytes_done(&all);
}

static void usb_descriptors_seeds(const struct seeds *seeds)
{
        uint8_t data[USB_DEVICE_DESCRIPTOR_SIZE + USB_ROM_CONFIGURATION_SIZE];

        for (size_t i = 0; chip_at(i); i++)
                for (unsigned dfu_mode = 0; dfu_mode < 2; dfu_mode++) {
                        usb_rom_device_descriptor(chip_at(i), data);
                        usb_rom_configuration(dfu_mode, data + USB_DEVICE_DESCRIPTOR_SIZE);
                        give(seeds, data, sizeof(data));
                }
}

static void engine_message_seeds(const struct seeds *seeds)
{
        static const enum phase phases[] = { PHASE_DETACHING, PHASE_DOWNLOADING, PHASE_VERIFYING,
                                             PHASE_RESETTING };
        struct engine_message m = { .verdict = VERDICT_BOARD_ERROR, .bytes_total = 1000, .has_status = true };
        struct probe_answer answer = {
                .result = PROBE_ANSWERED, .has_data = true, .len = 6, .took_usec = 80
        };
        char line[PROBE_LINE_MAX];

        snprintf(m.text, sizeof(m.text), "refused DNLOAD at byte 4096");
        for (size_t i = 0; i < ARRAY_SIZE(phases); i++) {
                uint8_t packet[ENGINE_MESSAGE_SIZE];

                m.phase = phases[i];
                engine_message_encode(&m, packet);
                give(seeds, packet, sizeof(packet));
        }
        for (size_t i = 0; (answer.question = probe_question_at(i)); i++) {
                answer.mode = answer.question->in_mode[PROBE_DFU] ? PROBE_DFU : PROBE_RUN_TIME;
                probe_answer_format(&answer, line);
                give_text(seeds, line);
        }
}

static void messages_seeds(const struct seeds *seeds)
{
        struct slot_status slots[2];
        struct policy_status policy;
        char *gone[1], word[] = "gizmo";
        struct status_update update = sample_status(slots, &policy, gone);
        struct explain_policy answer = { .policy = word, .key = word, .wanted = word, .found = word };
        const struct explanation explanation = { .slot = word, .policies = &answer, .n_policies = 1 };
        const struct attempt_record attempt = {
                .id = 1, .sequence = 1, .slot = word, .verdict = VERDICT_FLASHED
        };
        struct stats_line line = { .name = word, .attempts = 1 };
        struct stats_error error = { .verdict = VERDICT_STALLED, .attempts = 1 };
        const struct station_stats stats = {
                .policies = &line, .n_policies = 1, .errors = &error, .n_errors = 1
        };
        struct policy_counters counted = { .policy = word, .n_spans = 2 };
        const struct station_counters counters = { .policies = &counted, .n_policies = 1 };
        const struct consumer_status consumer = { .consumer = word, .sequence = 7 };
        const struct reload_result reload = { .slots = 2, .warnings = gone, .n_warnings = 1 };

        give_json(seeds, status_update_to_json(&update));
        give_json(seeds, slot_reply_to_json(&slots[0]));
        give_json(seeds, explanations_to_json(&explanation, 1));
        give_json(seeds, attempts_to_json(&attempt, 1));
        give_json(seeds, station_stats_to_json(&stats));
        give_json(seeds, station_counters_to_json(&counters));
        give_json(seeds, consumers_to_json(&consumer, 1));
        give_json(seeds, reload_result_to_json(&reload));
}

static void fleet_seeds(const struct seeds *seeds)
{
        static const char id[] = "0123456789abcdef0123456789abcdef";
        json_t *record = json_loads(SAMPLE_RECORD, 0, NULL);
        struct bytes bytes = { 0 };
        char *text;

        if (!record || json_object_update_new(record, json_pack("{s:s, s:i, s:i}", "station_id", id,
                                                                "sequence", 8, "previous", 7)) < 0)
                abort();
        text = json_dumps(record, JSON_COMPACT);
        if (!text)
                abort();
        must_append(&bytes, "espdfu/1/line3/job\n", 19);
        must_append(&bytes, text, strlen(text));
        give(seeds, bytes.data, bytes.len);
        bytes_done(&bytes);
        free(text);
        json_decref(record);
        give_text(seeds, "espdfu/1/line3/"
                         "delivered\n{\"station_id\":\"0123456789abcdef0123456789abcdef\",\"sequence\":8}");
        give_text(seeds,
                  "espdfu/1/line3/online\n{\"online\":false,\"since_realtime_usec\":1,\"message\":\"gone\"}");
        give_text(seeds, "espdfu/1/line3/"
                         "station\n{\"running\":1,\"failed\":2,\"slots\":4,\"backlog\":0,\"realtime_usec\":9,"
                         "\"held\":\"held by joe\",\"lagging\":null}");
        give_text(seeds, "espdfu/1/line3/slot/"
                         "A%2b1\n{\"slot\":\"A+1\",\"phase\":\"downloading\",\"realtime_usec\":9}");
        give_text(seeds, "espdfu/2/line3/job\n{}");
        give_file(seeds, TOP_SRCDIR "/conf/mqtt.conf");
        give_file(seeds, TOP_SRCDIR "/conf/collect.conf");
        give_text(seeds, "[broker]\nhost = broker\nuser = a\npassword-file = /b\n[station]\nname = "
                         "line3\nwindow = 256\n"
                         "[database]\nconnection = dbname=espdfu\n[collector]\ngroup = g\n");
}

static void varlink_seeds(const struct seeds *seeds)
{
        static const char calls[] =
                "{\"method\":\"io.espdfu.Station1.Status\",\"more\":true}\0"
                "{\"method\":\"io.espdfu.Station1.History\",\"parameters\":{\"where\":\"A1\",\"limit\":5,"
                "\"after_sequence\":7,\"oldest_first\":true,\"slot\":null}}\0"
                "{\"error\":\"io.espdfu.Station1.NoSuchSlot\",\"parameters\":{\"where\":\"A1\"}}\0"
                "{\"continues\":true,\"parameters\":{}}";

        for (unsigned piece = 1; piece < 256; piece += 60) {
                struct bytes bytes = { 0 };
                const uint8_t head[] = { (uint8_t)piece, 64 }; /* of 16 bytes */

                must_append(&bytes, head, sizeof(head));
                must_append(&bytes, calls, sizeof(calls));
                give(seeds, bytes.data, bytes.len);
                bytes_done(&bytes);
        }
}

/* ---- what a walk of a unit test rolled ---- */

static void dfu_seeds(const struct seeds *seeds)
{
        for (uint64_t seed = 1; seed <= 24; seed++) {
                struct bytes bytes = { 0 };
                struct dice dice = dice_of_seed(seed);

                dice.record = &bytes;
                must_append(&bytes, "\0", 1); /* which of the two */
                chaos_run(&dice);
                give(seeds, bytes.data, bytes.len);
                bytes_done(&bytes);
        }
}

static void job_seeds(const struct seeds *seeds)
{
        for (uint64_t seed = 1; seed <= 24; seed++) {
                struct bytes bytes = { 0 };
                struct dice dice = dice_of_seed(seed);
                struct job_walk w = { .dice = &dice, .now = USEC_PER_SEC };

                dice.record = &bytes;
                job_walk_begin(&w);
                while (w.job.state != JOB_ENDED)
                        job_walk_step(&w);
                give(seeds, bytes.data, bytes.len);
                bytes_done(&bytes);
        }
}

/* ---- all ---- */

static const struct {
        const char *target;
        void (*make)(const struct seeds *seeds);
} table[] = {
        { "config", config_seeds },
        { "cpio", cpio_seeds },
        { "dfu", dfu_seeds },
        { "engine-message", engine_message_seeds },
        { "flash-file", flash_file_seeds },
        { "flasher-args", flasher_args_seeds },
        { "fleet", fleet_seeds },
        { "history", history_seeds },
        { "image", image_seeds },
        { "job", job_seeds },
        { "kernel-log", kernel_log_seeds },
        { "messages", messages_seeds },
        { "signature", signature_seeds },
        { "usb-descriptors", usb_descriptors_seeds },
        { "varlink", varlink_seeds },
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
