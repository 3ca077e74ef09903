/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vocabulary of the tests of a job: what happens to it, one line each. One job at a time, one clock. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/job.h"

extern struct job job;
extern uint64_t now;

/* A board without a MAC, three attempts, 2 s between the first and the second. */
void board_waits(bool dfu_mode);
enum job_do event(enum job_event_type type);
/* Whatever comes; same: it may be the job's board, as far as one can know without a MAC. */
enum job_do board_arrives(bool same, bool dfu_mode);
/* The job's own board, known by its MAC. */
enum job_do board_comes_back(bool dfu_mode);
/* What the engine says, and its end. */
enum job_do engine_is_at(enum phase phase, uint64_t bytes, uint64_t quiet_usec);
enum job_do engine_judges(enum verdict verdict, const char *text);
enum job_do engine_ends(const char *how);
/* To the deadline, and no earlier. */
enum job_do time_passes(uint64_t usec);
/* The job gets its place, its row is opened, its engine is started. */
void engine_starts(void);
/* The engine's verdict, its end, and the row that is closed. */
enum job_do attempt_ends(enum verdict verdict, const char *text);
/* A row that was ordered to be closed is closed, and the job is over. */
void expect_end(enum job_do action, enum phase phase, enum verdict verdict, const char *message, bool final);
