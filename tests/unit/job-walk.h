/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A walk through the lives of many jobs, as the dice fall: a slot that carries out every order, an engine, a ledger and a
 * board that do whatever they can, in any order, at any time; a checker that knows what may be ordered when. Whoever
 * breaks a rule fails the test.
 */
#pragma once

#include "core/job.h"
#include "tests/unit/dice.h"

/* All zero but dice and now, before the first job. */
struct job_walk {
        struct dice *dice;
        unsigned step; /* of all jobs */
        uint64_t now;
        struct job job;
        struct job_params params;
        unsigned job_steps; /* of this one */

        bool settling;                   /* see job_walk_settle() */
        bool row_open, opening, closing; /* in the ledger; an order is under way */
        bool engine, terminated, killed;
        bool not_started; /* the engine, as is to be told */
        bool judged;      /* the engine gave its verdict */
        bool asks;        /* whether the policy is the same */
        bool unrecorded;  /* the job's last word: the ledger did not take it */
        bool present;
        bool foreign;            /* a board has come that is not the job's */
        bool cancelled, stopped; /* by anybody; by the daemon's stop */
        unsigned rows_opened, rows_closed, engines;
        enum verdict closed_with;
        bool closed_final;
        /* over all jobs */
        unsigned jobs, ends[VERDICT_MAX_], retries, stuck, returns;
};

/* A board is there, and a job for it. */
void job_walk_begin(struct job_walk *w);
/* Something happens. */
void job_walk_step(struct job_walk *w);
/* From now on everybody answers and the clock goes on: the job comes to its end. */
void job_walk_settle(struct job_walk *w);
/* Fails with these words. */
void job_walk_check(const struct job_walk *w, bool rule, const char *what);
