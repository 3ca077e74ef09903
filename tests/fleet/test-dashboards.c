/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The dashboards for Grafana: what Grafana requires of one, every SQL in them run in a real PostgreSQL with the schema, every
 * metric in them one that the real espdfuctl metrics tells, with the labels that are asked for.
 */
#include "tests/fleet/store-bed.h"

#include <ctype.h>

#include "fleet/store.h"

#define DIRECTORY TOP_SRCDIR "/docs/examples/grafana/"

static json_t *load(const char *name)
{
        char path[256];
        json_error_t error;
        json_t *board;

        snprintf(path, sizeof(path), DIRECTORY "%s", name);
        board = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
        if (!board)
                fail_msg("%s:%d: %s", name, error.line, error.text);
        return board;
}

static const char *text_in(const json_t *object, const char *name)
{
        const char *text = json_string_value(json_object_get(object, name));

        if (!text || !*text)
                fail_msg("%s is missing", name);
        return text;
}

static int64_t number_in(const json_t *object, const char *name)
{
        assert_true(json_is_integer(json_object_get(object, name)));
        return json_integer_value(json_object_get(object, name));
}

/* Every variable that stands in this text is one of the dashboard's, or Grafana's own. */
static void expect_variables_known(const json_t *board, const char *text)
{
        json_t *list = json_object_get(json_object_get(board, "templating"), "list"), *variable;

        for (const char *at = text; (at = strstr(at, "${")); at++) {
                size_t n = strcspn(at + 2, ":}"), i;
                bool known = false;

                json_array_foreach(list, i, variable)
                        known = known || (strlen(text_in(variable, "name")) == n &&
                                          strncmp(text_in(variable, "name"), at + 2, n) == 0);
                if (!known)
                        fail_msg("there is no variable ${%.*s}", (int)n, at + 2);
        }
}

/* A dashboard as Grafana takes one (schema 38): panels with an id, a place on the grid of 24 that no other has, and targets. */
static void expect_dashboard(const json_t *board)
{
        json_t *panels = json_object_get(board, "panels"), *panel, *target;
        bool taken[200][24] = { { false } };
        size_t i, k;

        assert_int_equal(number_in(board, "schemaVersion"), 38);
        text_in(board, "title");
        assert_true(strlen(text_in(board, "uid")) <= 40);
        assert_true(json_is_object(json_object_get(board, "time")));
        assert_true(json_array_size(panels) >= 10);
        json_array_foreach(panels, i, panel)
        {
                json_t *place = json_object_get(panel, "gridPos");
                int64_t x = number_in(place, "x"), y = number_in(place, "y"), w = number_in(place, "w"),
                        h = number_in(place, "h");

                assert_int_equal(number_in(panel, "id"), i + 1);
                text_in(panel, "type");
                expect_variables_known(board, text_in(panel, "title"));
                assert_true(x >= 0 && w > 0 && x + w <= 24 && y >= 0 && h > 0 && y + h <= 200);
                for (int64_t row = y; row < y + h; row++)
                        for (int64_t column = x; column < x + w; column++) {
                                assert_false(taken[row][column]);
                                taken[row][column] = true;
                        }
                assert_string_equal(text_in(json_object_get(panel, "datasource"), "uid"), "${datasource}");
                assert_true(
                        json_is_object(json_object_get(json_object_get(panel, "fieldConfig"), "defaults")));
                assert_true(json_array_size(json_object_get(panel, "targets")) > 0);
                json_array_foreach(json_object_get(panel, "targets"), k, target)
                        assert_int_equal(text_in(target, "refId")[0], 'A' + (int)k);
        }
}

/* ---- SQL ---- */

static void replace_all(char **text, const char *what, const char *with)
{
        char *at, *next;

        while ((at = strstr(*text, what))) {
                assert_true(asprintf(&next, "%.*s%s%s", (int)(at - *text), *text, with, at + strlen(what)) >=
                            0);
                free(*text);
                *text = next;
        }
}

/* What Grafana makes of its macros, for a week. */
static char *as_grafana_sends(const char *raw)
{
        char *text = strdup(raw);

        replace_all(&text, "$__timeFilter(end_time)",
                    "end_time BETWEEN '2026-11-20T00:00:00Z' AND '2026-11-27T00:00:00Z'");
        replace_all(&text, "$__timeFrom()", "'2026-11-20T00:00:00Z'");
        replace_all(&text, "$__timeTo()", "'2026-11-27T00:00:00Z'");
        replace_all(&text, "$__timeGroupAlias(end_time, $__interval)",
                    "floor(extract(epoch FROM end_time) / 3600) * 3600 AS \"time\"");
        replace_all(&text, "${station:sqlstring}", "'line3','line4'");
        replace_all(&text, "${mac:sqlstring}", "'7c:df:a1:0b:00:12'");
        replace_all(&text, "${image:sqlstring}", "'gizmo'");
        if (strchr(text, '$'))
                fail_msg("a macro that is not known: %s", text);
        return text;
}

static void test_dashboard_of_the_records_asks_what_the_store_answers(void **state)
{
        json_t *board = load("fleet-records.json"), *panel, *target;
        _cleanup_(freep) char *schema = store_schema_sql();
        size_t i, k;

        (void)state;
        sql("%s", schema);
        sql("INSERT INTO espdfu.station (station_id, name) VALUES (repeat('a', 32), 'line3')");
        sql("INSERT INTO espdfu.record (station_id, sequence, previous, id, job, attempt, slot, mac, "
            "image_name, "
            "clock_synchronized, start_time, end_time, duration_usec, bytes, transfers, verdict, final, "
            "message) SELECT "
            "repeat('a', 32), i, i - 1, i, 'j', 1, 'A1', '7c:df:a1:0b:00:12', 'gizmo', true, t, t, 9000000, "
            "1000, 10, CASE "
            "WHEN i %% 2 = 0 THEN 'flashed' ELSE 'board-left' END, true, 'at 1 kB' FROM (SELECT i, "
            "timestamptz "
            "'2026-11-21Z' + i * interval '1 hour' AS t FROM generate_series(1, 60) AS i) AS g");
        expect_dashboard(board);
        json_array_foreach(json_object_get(board, "panels"), i, panel)
                json_array_foreach(json_object_get(panel, "targets"), k, target)
        {
                _cleanup_(freep) char *text = as_grafana_sends(text_in(target, "rawSql"));

                expect_variables_known(board, text_in(target, "rawSql"));
                /* An answer too: a picture without data shows nothing of its mistakes. */
                if (!*sql("%s", text) && !strstr(text, "dead_letter"))
                        fail_msg("%s: no row: %s", text_in(panel, "title"), text);
        }
        json_decref(board);
}

static void test_list_of_stations_is_asked_of_the_store(void **state)
{
        json_t *board = load("fleet-records.json"), *variable;
        size_t i, asked = 0;

        (void)state;
        json_array_foreach(json_object_get(json_object_get(board, "templating"), "list"), i,
                           variable) if (streq(text_in(variable, "type"), "query"))
        {
                assert_string_equal(sql("%s", text_in(variable, "query")), "line3");
                asked++;
        }
        assert_int_equal(asked, 1);
        json_decref(board);
}

/* ---- metrics ---- */

/* What espdfuctl metrics says of a station, to be freed. */
static char *exposition(void)
{
        const char *station[] = { FAKE_ESPDFUD, bed_file("socket"), NULL };
        const char *metrics[] = { ESPDFUCTL, "--socket", bed_file("socket"), "metrics", NULL };
        FILE *orders, *answers;
        char line[64];
        pid_t pid = start_with_pipes("station.log", station, &orders, &answers);

        assert_non_null(fgets(line, sizeof(line), answers));
        write_file("metrics", "");
        assert_int_equal(end_program(start_program("metrics", metrics), 0), 0);
        fclose(orders);
        fclose(answers);
        end_program(pid, 0);
        return text_of(bed_file("metrics"));
}

/* Whether there is a sample of this name, and with this label (len bytes each). */
static bool has_sample(const char *all, const char *name, size_t len, const char *label, size_t label_len)
{
        for (const char *line = all; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
                const char *labels = line + len, *end = strchrnul(line, '\n');

                if (strncmp(line, name, len) != 0 || (*labels != '{' && *labels != ' '))
                        continue;
                if (label_len == 0)
                        return true;
                for (const char *at = labels; at < end; at++)
                        if ((*at == '{' || *at == ',') && strncmp(at + 1, label, label_len) == 0 &&
                            at[1 + label_len] == '=')
                                return true;
        }
        return false;
}

/* The labels in braces behind a metric's name, and those that are summed by; instance is Prometheus' own. */
static void expect_labels(const char *all, const char *name, size_t len, const char *expression)
{
        const char *at = expression + len, *end = strchr(at, '}');

        while (*at && at < end) {
                const char *label = at + 1 + strspn(at + 1, " ");
                size_t n = strspn(label, "abcdefghijklmnopqrstuvwxyz_");

                if (strncmp(label, "instance", n) != 0 && !has_sample(all, name, len, label, n))
                        fail_msg("%.*s has no label %.*s", (int)len, name, (int)n, label);
                at = label + strcspn(label, "\"");
                at += 1 + strcspn(at + 1, "\"") + 1;
        }
}

static unsigned expect_metrics_known(const char *all, const char *expression)
{
        unsigned n = 0;

        for (const char *at = expression; (at = strstr(at, "espdfu_")); n++) {
                size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyz_");

                if (!has_sample(all, at, len, "", 0))
                        fail_msg("espdfuctl metrics tells no %.*s:\n%s", (int)len, at, all);
                expect_labels(all, at, len, at);
                at += len;
        }
        return n;
}

static void test_dashboard_of_the_metrics_shows_what_espdfuctl_tells(void **state)
{
        json_t *board = load("fleet-metrics.json"), *panel, *target;
        _cleanup_(freep) char *all = exposition();
        size_t i, k;

        (void)state;
        assert_non_null(strstr(all, "espdfu_up"));
        expect_dashboard(board);
        json_array_foreach(json_object_get(board, "panels"), i, panel)
                json_array_foreach(json_object_get(panel, "targets"), k, target)
                        assert_true(expect_metrics_known(all, text_in(target, "expr")) > 0);
        json_decref(board);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_dashboard_of_the_records_asks_what_the_store_answers),
                cmocka_unit_test(test_list_of_stations_is_asked_of_the_store),
                cmocka_unit_test(test_dashboard_of_the_metrics_shows_what_espdfuctl_tells),
        };

        return cmocka_run_group_tests(tests, store_alone_setup, beds_teardown);
}
