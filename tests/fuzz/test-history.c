/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What somebody asks of the record. A text is a line for each of slot, mac, image, verdict, since and until, empty where it
 * does not matter: what becomes a question of the socket is one that the daemon understands. And the cursor that all
 * bytes from outside are read with, which never leaves them.
 */
#include "core/chip.h"
#include "core/csv.h"
#include "core/cursor.h"
#include "core/history.h"
#include "core/time-words.h"
#include "core/varlink.h"
#include "io/history-query.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/dice.h"

enum { SLOT, MAC, IMAGE, VERDICT, SINCE, UNTIL, N_WORDS };

static void check_time(const char *text)
{
        struct time_words t = { .year = 1 };

        if (time_words_parse(text, &t) < 0) {
                must(t.year == 1);
                return;
        }
        if (t.ago)
                return;
        must(t.year == 0 || (t.year >= 1970 && t.month >= 1 && t.month <= 12 && t.day >= 1 && t.day <= 31));
        must(t.hour < 24 && t.minute < 60 && t.second < 60 && t.days_back <= 1);
}

/* As daemon/methods-history.c takes them. */
static void check_parameters(json_t *parameters)
{
        struct varlink_arguments args = { .object = parameters };
        const char *slot = varlink_arg_text(&args, "slot"), *mac = varlink_arg_text(&args, "mac");
        const char *image = varlink_arg_text(&args, "image"), *verdict = varlink_arg_text(&args, "verdict");
        struct history_filter filter = { .slot = (char *)slot, .mac = (char *)mac, .image = (char *)image },
                              copy;

        (void)varlink_arg_int(&args, "since_realtime_usec", 0, INT64_MAX, 0);
        (void)varlink_arg_int(&args, "until_realtime_usec", 1, INT64_MAX, 0);
        must(!varlink_args_invalid(&args));
        must(!slot || slot[0]);
        must(!mac || chip_serial_is_mac(mac));
        must(!verdict || verdict_from_string(verdict) >= 0);
        must(!image || !history_image_is_digest(image) || strlen(image) >= HISTORY_SHA256_MIN);
        must(history_filter_copy(&filter, &copy) == 0);
        must(streq_ptr(copy.slot, slot) && streq_ptr(copy.image, image));
        history_filter_done(&copy);
}

static void check_query(char *const words[N_WORDS])
{
        const struct history_query query = {
                .slot = words[SLOT],
                .mac = words[MAC],
                .image = words[IMAGE],
                .verdict = words[VERDICT],
                .since = words[SINCE],
                .until = words[UNTIL],
        };
        json_t *parameters = NULL;
        char *why = NULL;
        int r = history_query_parameters(&query, "--", &parameters, &why);

        must(r == 0 || (r == HISTORY_QUERY_WRONG && why && why[0]));
        if (r == 0)
                check_parameters(parameters);
        json_decref(parameters);
        free(why);
}

static void check_cell(const char *text)
{
        _cleanup_(bytes_done) struct bytes cell = { 0 };

        must(csv_text(&cell, text) == 0);
        if (cell.len == 0)
                return;
        /* No spreadsheet takes it for a formula, and it ends where it should. */
        must(!strchr("=+-@\t\r", cell.data[0]));
        must(cell.data[0] != '"' ||
             (cell.len >= 2 && cell.data[cell.len - 1] == '"' && !strchr("=+-@\t\r", cell.data[1])));
}

static void check_words(const uint8_t *data, size_t size)
{
        char *words[N_WORDS] = { 0 };
        size_t at = 0;

        for (size_t i = 0; i < N_WORDS && at < size; i++) {
                const uint8_t *end = memchr(data + at, '\n', size - at);
                size_t len = end ? (size_t)(end - data) - at : size - at;

                if (len > 0) {
                        words[i] = strndup((const char *)data + at, len);
                        must(words[i]);
                        check_time(words[i]);
                        check_cell(words[i]);
                }
                at += len + 1;
        }
        check_query(words);
        for (size_t i = 0; i < N_WORDS; i++)
                free(words[i]);
}

/* Any steps in any order; a step that is refused moves nothing. */
static void check_cursor(const uint8_t *data, size_t size)
{
        struct dice dice = dice_of_bytes(data, size);
        struct cursor c = cursor_over(data, size);

        while (!dice_are_used_up(&dice)) {
                size_t before = cursor_offset(&c),
                       n = roll(&dice, 2) ? roll(&dice, 16) : SIZE_MAX - roll(&dice, 16);
                const uint8_t *p = NULL;
                uint32_t u32;
                uint16_t u16;
                uint8_t u8;
                bool done = false;

                switch (roll(&dice, 6)) {
                case 0:
                        done = cursor_take(&c, n, &p);
                        must(done == (n <= size - before));
                        must(!done || p == data + before);
                        break;
                case 1:
                        done = cursor_skip(&c, n);
                        must(done == (n <= size - before));
                        break;
                case 2:
                        done = cursor_align(&c, (size_t)1 << roll(&dice, 6));
                        break;
                case 3:
                        done = cursor_take_u8(&c, &u8);
                        must(!done || u8 == data[before]);
                        break;
                case 4:
                        done = cursor_take_le16(&c, &u16);
                        must(!done || u16 == read_le16(data + before));
                        break;
                case 5:
                        done = cursor_take_le32(&c, &u32);
                        must(!done || u32 == read_le32(data + before));
                        break;
                }
                must(cursor_offset(&c) <= size && (done || cursor_offset(&c) == before));
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        check_words(data, size);
        check_cursor(data, size);
        return 0;
}
