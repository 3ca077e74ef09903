/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/probe.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "client/client.h"
#include "core/hex.h"
#include "core/text.h"
#include "show/table.h"

#define ANSWER_COLUMNS 60 /* longer answers are cut in the table; one that differs stands below in full */

size_t probe_count_differences(const struct probed *probed, const struct chip *chip)
{
        size_t n = 0;

        for (size_t i = 0; i < probed->n_answers; i++)
                n += !probe_is_expected(&probed->answers[i], chip);
        return n;
}

static const char *kernel_release(struct utsname *name)
{
        return uname(name) == 0 ? name->release : "?";
}

/* ---- the text ---- */

enum column { MODE, QUESTION, ANSWER, TIME, VERDICT, N_COLUMNS };
static const char *const column_names[N_COLUMNS] = { "MODE", "QUESTION", "ANSWER", "TIME", "VERDICT" };

static char *format_answer(const struct probe_answer *answer)
{
        char buf[PROBE_TEXT_MAX], *text;
        const char *whole = probe_answer_text(answer, buf);

        return asprintf(&text, strlen(whole) > ANSWER_COLUMNS ? "%.*s..." : "%.*s", ANSWER_COLUMNS, whole) < 0
                       ? NULL
                       : text;
}

static char *format_time_taken(uint64_t usec)
{
        char *text;

        return asprintf(&text, "%.1f ms", (double)usec / 1000) < 0 ? NULL : text;
}

static int add_answer(const struct probe_answer *answer, const struct chip *chip,
                      const struct table_style *style, struct libscols_table *table)
{
        struct libscols_line *line = scols_table_new_line(table, NULL);
        _cleanup_(freep) char *text = format_answer(answer);
        _cleanup_(freep) char *taken = format_time_taken(answer->took_usec);
        bool right = probe_is_expected(answer, chip);
        const char *texts[N_COLUMNS] = {
                [MODE] = probe_mode_to_string(answer->mode),
                [QUESTION] = answer->question->title,
                [ANSWER] = text,
                [TIME] = taken,
                [VERDICT] = right ? "as expected" : "DIFFERS",
        };
        int r = line && text && taken ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < N_COLUMNS; i++)
                r = table_set(style, line, i, texts[i]);
        if (r == 0 && style->colour)
                r = scols_cell_set_color(scols_line_get_cell(line, VERDICT), right ? "green" : "red");
        return r;
}

static int print_table(const struct probed *probed, const struct chip *chip)
{
        struct table_style style;
        _cleanup_(table_unrefp) struct libscols_table *table = NULL;
        int r;

        table_style_of_stdout(&style);
        table = table_new(&style, column_names, N_COLUMNS);
        r = table ? 0 : -ENOMEM;
        for (size_t i = 0; r == 0 && i < probed->n_answers; i++)
                r = add_answer(&probed->answers[i], chip, &style, table);
        return r == 0 ? scols_print_table(table) : r;
}

static void print_differences(const struct probed *probed, const struct chip *chip)
{
        size_t n = probe_count_differences(probed, chip);
        char is[PROBE_TEXT_MAX], expected[PROBE_TEXT_MAX];

        for (size_t i = 0; i < probed->n_answers; i++) {
                const struct probe_answer *answer = &probed->answers[i];

                if (!probe_is_expected(answer, chip))
                        client_say(stdout, "%s, %s: is %s; expected %s", probe_mode_to_string(answer->mode),
                                   answer->question->title, probe_answer_text(answer, is),
                                   probe_expected_text(answer, chip, expected));
        }
        if (!probed->complete)
                puts("Not all was asked: the board did not answer, or is not in the state that it should be "
                     "in. Plug "
                     "it in again.");
        if (n > 0)
                printf("%zu answer%s from docs/rom-dfu.md: please send this report, see docs/hardware.md.\n",
                       n, n == 1 ? " differs" : "s differ");
        else if (probed->complete)
                puts("Nothing differs from docs/rom-dfu.md.");
}

int probe_print(const struct device *device, const struct chip *chip, const struct probed *probed)
{
        char id[DEVICE_ID_SIZE];
        struct utsname name;
        int r;

        client_say(stdout, "%s %s, bcdDevice %04x, serial %s, on port %s, %s", chip->product,
                   device_id(device, id), device->ids.bcd_device, device->serial ? device->serial : "none",
                   device->port, device->path ? device->path : "no ID_PATH");
        client_say(stdout, PACKAGE_STRING ", Linux %s", kernel_release(&name));
        putchar('\n');
        r = print_table(probed, chip);
        if (r < 0)
                return client_misread(r);
        putchar('\n');
        if (probed->return_usec != USEC_INFINITY)
                printf("Back in DFU mode %.0f ms after DETACH.\n", (double)probed->return_usec / 1000);
        print_differences(probed, chip);
        return client_flush();
}

/* ---- JSON ---- */

static json_t *answer_to_json(const struct probe_answer *answer, const struct chip *chip)
{
        char is[PROBE_TEXT_MAX], expected[PROBE_TEXT_MAX], hex[2 * PROBE_DATA_MAX + 1];

        hex_encode(answer->data, answer->len, hex);
        return json_pack("{s:s, s:s, s:s, s:s, s:s?, s:I, s:s, s:s, s:b, s:I}", "mode",
                         probe_mode_to_string(answer->mode), "question", answer->question->name, "title",
                         answer->question->title, "result", probe_result_to_string(answer->result), "data",
                         answer->has_data ? hex : NULL, "bytes", (json_int_t)answer->len, "answer",
                         probe_answer_text(answer, is), "expected",
                         probe_expected_text(answer, chip, expected), "as_expected",
                         probe_is_expected(answer, chip), "took_usec", (json_int_t)answer->took_usec);
}

static json_t *report_to_json(const struct device *device, const struct chip *chip,
                              const struct probed *probed, json_t *answers)
{
        struct utsname name;

        return json_pack("{s:s, s:s, s:o, s:s, s:b, s:I, s:o, s:o}", "espdfu", PACKAGE_VERSION, "kernel",
                         kernel_release(&name), "device", device_to_json(device), "expected_of", chip->name,
                         "complete", probed->complete, "differences",
                         (json_int_t)probe_count_differences(probed, chip), "return_usec",
                         probed->return_usec == USEC_INFINITY ? json_null()
                                                              : json_integer((json_int_t)probed->return_usec),
                         "answers", answers);
}

int probe_print_json(const struct device *device, const struct chip *chip, const struct probed *probed)
{
        json_t *answers = json_array(), *whole = NULL;
        bool sound = answers;
        int r;

        for (size_t i = 0; sound && i < probed->n_answers; i++)
                sound = json_array_append_new(answers, answer_to_json(&probed->answers[i], chip)) == 0;
        if (sound)
                whole = report_to_json(device, chip, probed, answers);
        else
                json_decref(answers);
        r = whole ? client_print_json(whole, false) : client_misread(-ENOMEM);
        json_decref(whole);
        return r;
}
