/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Why a board does not show up, or is not flashed: facts about the machine, its boards and its station in, findings out,
 * each with the one command that mends it. Pure; client/doctor-facts.c gathers. The table of checks is also what
 * docs/troubleshooting.md has, and a test compares the two.
 */
#pragma once

#include "core/device.h"
#include "core/kernel-log.h"
#include "core/status.h"

enum doctor_severity {
        DOCTOR_HINT,    /* to be known; nothing is wrong for certain */
        DOCTOR_WARNING, /* it goes wrong sooner or later, or for some */
        DOCTOR_ERROR,   /* a board is not flashed because of it */
        DOCTOR_SEVERITY_MAX_,
};
DECLARE_WORDS(doctor_severity)

struct doctor_check {
        const char *name; /* "rule-missing"; the headings of docs/troubleshooting.md */
        enum doctor_severity severity;
        const char *title;    /* what is wrong, in general */
        const char *expected; /* what would be right */
        const char *hands;    /* what only hands can do, before the command; NULL: nothing */
        const char *command;  /* with {port}, {slot}, {node}, {user} */
};
/* Walks the table: index 0, 1, … until NULL. */
const struct doctor_check *doctor_check_at(size_t index);

/* ---- facts ---- */

enum doctor_daemon {
        DOCTOR_DAEMON_ANSWERS,
        DOCTOR_DAEMON_ABSENT,  /* nobody listens */
        DOCTOR_DAEMON_REFUSES, /* the socket may not be opened */
        DOCTOR_DAEMON_SILENT,  /* something is there, and what espdfud says does not come */
};

enum doctor_file {
        DOCTOR_FILE_THERE,
        DOCTOR_FILE_ABSENT,
        DOCTOR_FILE_MASKED, /* a link to /dev/null, or an empty file, stands in its place */
};

/* Everything is borrowed. */
struct doctor_facts {
        const char
                *where; /* what was asked about: a slot's name, a port path or an ID_PATH; NULL: everything */
        const char *user; /* who asks */
        bool user_is_root;
        bool group_exists;     /* espdfu */
        unsigned group_gid;    /* its number */
        bool user_in_group;    /* by /etc/group */
        bool session_in_group; /* by this process: what usermod says counts from the next login on */
        enum doctor_file rule, service, socket_unit;
        const char *rule_path; /* where it is, or is masked; NULL with DOCTOR_FILE_ABSENT */
        bool modem_manager_runs;
        bool kernel_log_readable;
        const struct kernel_log *kernel_log;
        const struct device *devices;
        size_t n_devices;
        enum doctor_daemon daemon;
        const char *daemon_fault;             /* one line; NULL with DOCTOR_DAEMON_ANSWERS */
        const struct station_status *station; /* with DOCTOR_DAEMON_ANSWERS alone; else NULL */
};

/* ---- findings ---- */

#define DIAGNOSES_MAX 200 /* further ones are counted, not kept */

struct diagnosis {
        const struct doctor_check *check;
        char *where;   /* a slot, a port, a device's node; NULL: the machine, the station */
        char *what;    /* what was found there, one line, printable */
        char *command; /* with its names filled in */
};

/* All zero: nothing was found. */
struct diagnoses {
        struct diagnosis *items;
        size_t n_items; /* kept */
        size_t n_by_severity[DOCTOR_SEVERITY_MAX_];
        bool out_of_memory;
};

/* The worst first, then in the table's order. 0 or -ENOMEM; *ret is to be released with diagnoses_done(). */
int doctor_examine(const struct doctor_facts *facts, struct diagnoses *ret);
void diagnoses_done(struct diagnoses *diagnoses);
/* A new object; NULL when out of memory. */
json_t *diagnoses_to_json(const struct diagnoses *diagnoses);
