/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vocabulary of test-load: a crowd of clients of several users around a line, each in a role of load-client. */
#pragma once

#include "tests/integration/line.h"

#define USERS     4
#define USER(n)   (20001u + (n)) /* nobody's, on a machine that builds */
#define CROWD_MAX 64

struct client {
        const char *role;
        unsigned user; /* 0 to USERS - 1 */
        struct bed_child *child;
};

struct crowd {
        struct line *line;
        struct client clients[CROWD_MAX];
        size_t n;
};

/* So many more clients of one user in one role; bytes: that each sends, in the roles that are about that. */
void crowd_add(struct crowd *crowd, unsigned user, const char *role, unsigned n, uint64_t bytes);
/* As kill() does: SIGSTOP, SIGCONT. */
void crowd_signal(struct crowd *crowd, int number);
/* They are told to go, and are gone when this returns. */
void crowd_leave(struct crowd *crowd);

/* ---- what those that have left went through, added up by role ---- */

/* What was said behind a word at the beginning of a line: "answers", "closed", "sent". */
uint64_t crowd_sum(const struct crowd *crowd, const char *role, const char *word);
/* How many clients of a role have a line that begins so. */
unsigned crowd_said(const struct crowd *crowd, const char *role, const char *begin);
/* The quantile, 0 to 1, of how long answers took, in ms. Fails where there were none. */
double crowd_latency(const struct crowd *crowd, const char *role, double quantile);
/* A line for each role. */
void crowd_print(const struct crowd *crowd);
