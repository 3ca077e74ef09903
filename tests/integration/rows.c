/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/integration/rows.h"

json_t *rows_export(struct line *line)
{
        g_autofree char *text = NULL;
        json_t *rows = json_array();
        g_auto(GStrv) lines = NULL;

        assert_int_equal(ctl(line, &text, (const char *[]){ "export", "--format", "json", NULL }), 0);
        lines = g_strsplit(text, "\n", -1);
        for (size_t i = 0; lines[i]; i++)
                if (*lines[i])
                        assert_int_equal(json_array_append_new(rows, json_loads(lines[i], 0, NULL)), 0);
        return rows;
}

/* ---- CSV ---- */

/* The cell at *at, unquoted; *at is behind it, at what separates it from the next. To be freed. */
static char *take_cell(const char **at)
{
        GString *cell = g_string_new(NULL);
        bool quoted = **at == '"';

        for (*at += quoted; **at; (*at)++) {
                if (quoted && **at == '"' && *++*at != '"')
                        break;
                if (!quoted && (**at == ',' || **at == '\r'))
                        break;
                g_string_append_c(cell, **at);
        }
        return g_string_free(cell, FALSE);
}

/* The cells of a line, NULL at their end: to be freed; NULL where there is no more line. */
static char **take_line(const char **at)
{
        g_autoptr(GPtrArray) cells = g_ptr_array_new_with_free_func(g_free);

        if (!**at)
                return NULL;
        for (;; (*at)++) {
                g_ptr_array_add(cells, take_cell(at));
                if (**at != ',')
                        break;
        }
        if (!g_str_has_prefix(*at, "\r\n"))
                fail_msg("CSV: expected the end of the line, there is: %.40s", *at);
        *at += 2;
        g_ptr_array_add(cells, NULL);
        return (char **)g_ptr_array_steal(cells, NULL);
}

static void expect_cell(const char *name, const char *cell, const json_t *value)
{
        g_autofree char *text = NULL;

        if (json_is_string(value))
                text = g_strdup(json_string_value(value));
        else if (json_is_integer(value))
                text = g_strdup_printf("%lld", (long long)json_integer_value(value));
        else if (json_is_boolean(value))
                text = g_strdup(json_is_true(value) ? "1" : "0");
        else if (json_is_null(value))
                text = g_strdup("");
        if (!streq_ptr(text, cell))
                fail_msg("%s is \"%s\" in CSV, \"%s\" in JSON", name, cell, text ? text : "(nothing)");
}

void rows_expect_csv_agrees(struct line *line, const json_t *rows)
{
        g_autofree char *text = NULL;
        g_auto(GStrv) names = NULL;
        const char *at;
        json_t *row;
        size_t i;

        assert_int_equal(ctl(line, &text, (const char *[]){ "export", "--format", "csv", NULL }), 0);
        at = text;
        names = take_line(&at);
        assert_non_null(names);
        json_array_foreach(rows, i, row)
        {
                g_auto(GStrv) cells = take_line(&at);

                assert_non_null(cells);
                assert_int_equal(g_strv_length(cells), g_strv_length(names));
                assert_int_equal(g_strv_length(names), json_object_size(row));
                for (size_t j = 0; names[j]; j++)
                        expect_cell(names[j], cells[j], json_object_get(row, names[j]));
        }
        assert_string_equal(at, "");
}

/* ---- jobs ---- */

static json_int_t number_of(const json_t *row, const char *key)
{
        return json_integer_value(json_object_get(row, key));
}

void rows_expect_whole_jobs(const json_t *rows)
{
        g_autoptr(GHashTable) jobs = g_hash_table_new(g_str_hash, g_str_equal); /* of the last row so far */
        json_t *row;
        size_t i;

        json_array_foreach(rows, i, row)
        {
                const char *job = json_string_value(json_object_get(row, "job"));
                const json_t *before = g_hash_table_lookup(jobs, job);
                const json_t *file = json_object_get(row, "data_file");
                json_int_t attempt = number_of(row, "attempt");

                if (attempt != (before ? number_of(before, "attempt") : 0) + 1)
                        fail_msg("job %s: attempt %lld is out of order", job, (long long)attempt);
                if (before) {
                        assert_false(json_is_true(json_object_get(before, "final")));
                        assert_true(number_of(before, "id") < number_of(row, "id"));
                        assert_true(number_of(before, "sequence") < number_of(row, "sequence"));
                        assert_true(json_equal(json_object_get(before, "mac"), json_object_get(row, "mac")));
                        assert_true(json_is_null(file) ||
                                    json_equal(json_object_get(before, "data_file"), file));
                }
                g_hash_table_insert(jobs, (gpointer)job, row);
        }
}

/* ---- numbers ---- */

void rows_expect_sequence_without_gaps(const json_t *rows)
{
        size_t n = json_array_size(rows), i;
        g_autofree bool *seen = g_new0(bool, n + 1);
        json_t *row;

        json_array_foreach(rows, i, row)
        {
                json_int_t sequence = json_integer_value(json_object_get(row, "sequence"));

                if (sequence < 1 || sequence > (json_int_t)n || seen[sequence])
                        fail_msg("row %zu has number %lld of %zu", i, (long long)sequence, n);
                seen[sequence] = true;
        }
}
