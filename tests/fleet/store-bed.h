/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A real PostgreSQL for the fleet's tests, beside the broker of broker-bed.h: a cluster of its own in a directory of its own, on
 * a socket there, as an unprivileged user, with fsync as in life. Nothing of the system's own clusters is touched.
 */
#pragma once

#include "tests/fleet/broker-bed.h"

struct store_bed {
        char dir[64];
        char connection[160]; /* as libpq has it, to the database espdfu, as its owner */
        pid_t server;         /* 0: it does not run */
};

extern struct store_bed store_bed;

/* For cmocka's group, after bed_setup(): a cluster with an empty database espdfu, running. */
int store_bed_setup(void **state);
int store_bed_teardown(void **state);

/* The broker's bed and this one together, and what removes them; and this one alone. */
int beds_setup(void **state);
int store_alone_setup(void **state);
int beds_teardown(void **state);

/* A configuration of espdfu-collect's between the two. Its path, as bed_file(). */
const char *write_collect_conf(const char *name, const char *connection);

void start_database(void);
/* As by `systemctl stop`; and its processes end where they are, as by a crash: it recovers when it starts. */
void stop_database(void);
void crash_database(void);

/* An empty database of this name. Its connection, valid until the next call. */
const char *new_database(const char *name);

/* Runs SQL in the database espdfu, or in the one of sql_in(); what it says of its last row's cells, with '|' between them, and
 * rows with '\n' between them; "" where it says nothing. Valid until the next call. An error fails the test. */
const char *sql(const char *format, ...) _printf_(1, 2);
/* The same, where an error is what is expected: its SQLSTATE, "" where there is none. */
const char *sql_state(const char *format, ...) _printf_(1, 2);
/* Where sql() asks from here on; NULL: in store_bed.connection. Borrowed. */
void sql_in(const char *connection);
/* The SQL of a file of the source tree. */
void sql_file(const char *path);
/* Asks again until it says this; fails after 20 s. */
void expect_sql(const char *expected, const char *query);
