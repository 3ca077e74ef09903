/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfuctl doctor: why a board does not show up or is not flashed, and the one command that mends it. */
#include <stdio.h>

#include "client/client.h"
#include "client/doctor-facts.h"
#include "core/config-values.h"
#include "core/text.h"
#include "show/table.h"

static const char *colour_of(enum doctor_severity severity)
{
        switch (severity) {
        case DOCTOR_ERROR:
                return "\033[31m";
        case DOCTOR_WARNING:
                return "\033[33m";
        case DOCTOR_HINT:
        case DOCTOR_SEVERITY_MAX_:
                return "";
        }
        return "";
}

static void print_diagnosis(const struct diagnosis *d, const struct table_style *style)
{
        const char *colour = style->colour ? colour_of(d->check->severity) : "";

        printf("%s%s%s ", colour, doctor_severity_to_string(d->check->severity), *colour ? "\033[0m" : "");
        client_say(stdout, "[%s] %s%s%s", d->check->name, d->where ? d->where : "", d->where ? ": " : "",
                   d->check->title);
        client_say(stdout, "  found:    %s", d->what);
        client_say(stdout, "  expected: %s", d->check->expected);
        if (d->check->hands)
                client_say(stdout, "  by hand:  %s", d->check->hands);
        client_say(stdout, "  command:  %s", d->command);
        putchar('\n');
}

/* "1 error", "2 errors" */
static void print_count(const struct diagnoses *diagnoses, enum doctor_severity severity, const char *after)
{
        size_t n = diagnoses->n_by_severity[severity];

        printf("%zu %s%s%s", n, doctor_severity_to_string(severity), n == 1 ? "" : "s", after);
}

static int print_diagnoses(const struct diagnoses *diagnoses, const struct doctor_facts *facts)
{
        struct table_style style;

        table_style_of_stdout(&style);
        for (size_t i = 0; i < diagnoses->n_items; i++)
                print_diagnosis(&diagnoses->items[i], &style);
        if (diagnoses->n_items == DIAGNOSES_MAX)
                printf("Only the first %d are shown.\n", DIAGNOSES_MAX);
        print_count(diagnoses, DOCTOR_ERROR, ", ");
        print_count(diagnoses, DOCTOR_WARNING, ", ");
        print_count(diagnoses, DOCTOR_HINT, "");
        printf("; %zu device%s, espdfud %s\n", facts->n_devices, facts->n_devices == 1 ? "" : "s",
               facts->daemon == DOCTOR_DAEMON_ANSWERS ? "answers" : "does not answer");
        return EXIT_DONE;
}

static int print_json(const struct diagnoses *diagnoses, const struct doctor_facts *facts)
{
        json_t *whole = diagnoses_to_json(diagnoses);
        bool sound = whole &&
                     json_object_set_new(whole, "devices", json_integer((json_int_t)facts->n_devices)) == 0 &&
                     json_object_set_new(whole, "daemon",
                                         json_boolean(facts->daemon == DOCTOR_DAEMON_ANSWERS)) == 0;
        int r = sound ? client_print_json(whole, false) : client_misread(-ENOMEM);

        json_decref(whole);
        return r;
}

/* What nobody knows is a typing error; a port may be empty, and a name nobody's whom there is no daemon to ask about. */
static bool is_known(const struct doctor_gathered *gathered, const char *where)
{
        return value_is_port(where) || gathered->view.daemon != DOCTOR_DAEMON_ANSWERS ||
               station_view_slot(&gathered->view, where) ||
               devices_find(gathered->devices, gathered->facts.n_devices, where);
}

static int examine(struct doctor_gathered *gathered, bool json)
{
        _cleanup_(diagnoses_done) struct diagnoses diagnoses = { 0 };
        int r = doctor_examine(&gathered->facts, &diagnoses);

        if (r < 0)
                return client_misread(r);
        r = json ? print_json(&diagnoses, &gathered->facts) : print_diagnoses(&diagnoses, &gathered->facts);
        if (r != EXIT_DONE)
                return r;
        return diagnoses.n_by_severity[DOCTOR_ERROR] + diagnoses.n_by_severity[DOCTOR_WARNING] > 0
                       ? EXIT_FAILED
                       : EXIT_DONE;
}

int verb_doctor(int argc, char **argv)
{
        _cleanup_(doctor_gathered_done) struct doctor_gathered gathered = { 0 };
        struct doctor_sources sources = { .root = "" };
        bool json = false;
        const struct client_option options[] = {
                { "json", .flag = &json },
                { "kernel-log", .value = &sources.kernel_log },
                { "root", .value = &sources.root },
        };
        int r = client_options(argc, argv, options, ARRAY_SIZE(options), 1);

        if (r != CLIENT_GO_ON)
                return r;
        if (doctor_gather(&sources, &gathered) < 0)
                return EXIT_FAILED;
        gathered.facts.where = argv[optind];
        if (argv[optind] && !is_known(&gathered, argv[optind])) {
                client_error(
                        "doctor: %s: no slot has this name, and no device is there: expected a slot, a port "
                        "path such as 1-4.1, or an ID_PATH",
                        argv[optind]);
                return EXIT_FAILED;
        }
        return examine(&gathered, json);
}
