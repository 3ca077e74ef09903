/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bench/report.h"

#include <errno.h>
#include <glib.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

struct result {
        char *id, *what, *unit, *note;
        const char *statistic;
        double value, median, min, max, bar;
        size_t n;
        bool good;
};

struct report {
        double tolerance;
        GArray *results; /* of struct result */
};

static void result_done(gpointer data)
{
        struct result *result = data;

        g_free(result->id);
        g_free(result->what);
        g_free(result->unit);
        g_free(result->note);
}

struct report *report_new(double tolerance)
{
        struct report *report = g_new0(struct report, 1);

        report->tolerance = tolerance;
        report->results = g_array_new(FALSE, TRUE, sizeof(struct result));
        g_array_set_clear_func(report->results, result_done);
        return report;
}

void report_free(struct report *report)
{
        g_array_free(report->results, TRUE);
        g_free(report);
}

static int compare(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

/* The smallest sample that at least that share of them does not exceed. */
static double quantile(const double *sorted, size_t n, double share)
{
        size_t rank = (size_t)(share * (double)n);

        return sorted[rank < n ? rank : n - 1];
}

static double median(const double *sorted, size_t n)
{
        return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

void report_add(struct report *report, const struct row *row, const double *samples, size_t n)
{
        g_autofree double *sorted = g_memdup2(samples, n * sizeof(*samples));
        struct result result = { .n = n, .bar = row->bar < 0 ? -1 : row->bar * report->tolerance };

        qsort(sorted, n, sizeof(*sorted), compare);
        result.min = sorted[0];
        result.max = sorted[n - 1];
        result.median = median(sorted, n);
        switch (row->statistic) {
        case STATISTIC_MEDIAN:
                result.value = result.median;
                result.statistic = "median";
                break;
        case STATISTIC_P99:
                result.value = quantile(sorted, n, 0.99);
                result.statistic = "p99";
                break;
        case STATISTIC_MAX:
                result.value = result.max;
                result.statistic = "max";
                break;
        }
        result.good = row->bar < 0 || result.value <= result.bar;
        result.id = g_strdup(row->id);
        result.what = g_strdup(row->what);
        result.unit = g_strdup(row->unit);
        result.note = g_strdup(row->note);
        g_array_append_val(report->results, result);
}

bool report_is_good(const struct report *report)
{
        for (guint i = 0; i < report->results->len; i++)
                if (!g_array_index(report->results, struct result, i).good)
                        return false;
        return true;
}

/* ---- for people ---- */

/* Three significant digits are more than a shared machine allows; whole numbers stay whole. */
static void print_number(char *buf, size_t size, double value)
{
        int digits = value >= 100 || value == (double)(long)value ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;

        snprintf(buf, size, "%.*f", digits, value);
}

static void print_result(const struct result *result, FILE *stream)
{
        char value[32], min[32], max[32], bar[32] = "", spread[80];

        print_number(value, sizeof(value), result->value);
        print_number(min, sizeof(min), result->min);
        print_number(max, sizeof(max), result->max);
        if (result->bar >= 0)
                print_number(bar, sizeof(bar), result->bar);
        snprintf(spread, sizeof(spread), "%s to %s of %zu", min, max, result->n);
        fprintf(stream, "%-58s  %9s %-4s  %-6s  %-26s  %7s  %s\n", result->what, value, result->unit,
                result->statistic, spread, bar,
                result->bar < 0 ? "-"
                : result->good  ? "yes"
                                : "NO");
        if (result->note)
                fprintf(stream, "    %s\n", result->note);
}

void report_print(const struct report *report, FILE *stream)
{
        fprintf(stream, "\n%-58s  %9s %-4s  %-6s  %-26s  %7s  %s\n", "WHAT", "MEASURED", "", "", "SPREAD",
                "AT MOST", "OK");
        for (guint i = 0; i < report->results->len; i++)
                print_result(&g_array_index(report->results, struct result, i), stream);
}

/* ---- for scripts ---- */

static json_t *result_to_json(const struct result *result)
{
        json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:f, s:f, s:f, s:f, s:I, s:b}", "id", result->id,
                                   "what", result->what, "unit", result->unit, "statistic", result->statistic,
                                   "value", result->value, "median", result->median, "min", result->min,
                                   "max", result->max, "runs", (json_int_t)result->n, "ok", result->good);

        if (result->bar >= 0)
                json_object_set_new(object, "at_most", json_real(result->bar));
        if (result->note)
                json_object_set_new(object, "note", json_string(result->note));
        return object;
}

int report_write(const struct report *report, const char *path, unsigned boards)
{
        struct utsname system;
        json_t *rows = json_array(), *root;
        int r;

        uname(&system);
        for (guint i = 0; i < report->results->len; i++)
                json_array_append_new(rows,
                                      result_to_json(&g_array_index(report->results, struct result, i)));
        root = json_pack("{s:i, s:s, s:s, s:s, s:I, s:I, s:f, s:b, s:o}", "schema", 1, "bench", "native",
                         "version", PACKAGE_VERSION, "kernel", system.release, "processors",
                         (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "boards", (json_int_t)boards, "tolerance",
                         report->tolerance, "ok", report_is_good(report), "rows", rows);
        r = root ? json_dump_file(root, path, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) : -1;
        json_decref(root);
        return r < 0 ? -EIO : 0;
}
