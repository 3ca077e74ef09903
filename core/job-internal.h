/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of a job share: job.c (from the queue to the end), job-engine.c (while an engine runs), job-return.c (boards
 * that leave in the middle of it and return).
 */
#pragma once

#include "core/job.h"

void job_set_verdict(struct job *job, enum verdict verdict, const char *fmt, ...) _printf_(3, 4);
bool job_is_cancelled_by_person(const struct job *job);
/* Where it was cancelled, or how: text follows the word. */
void job_set_cancelled(struct job *job, const char *text);
/* The job's own board. */
bool job_board_is_there(const struct job *job);

enum job_do job_start_engine(struct job *job, uint64_t now_usec);
enum job_do job_close_row(struct job *job);
enum job_do job_begin_attempt(struct job *job, uint64_t now_usec);
/* Cancelled by a person: recorded as an attempt that ends before it begins. */
enum job_do job_record_cancel(struct job *job, uint64_t now_usec);
enum job_do job_end_cancelled(struct job *job);

/* JOB_RUNNING. */
enum job_do job_step_running(struct job *job, const struct job_event *event, uint64_t now_usec);
/* Its board left, or its attempt was lost with it; the board may be back. Answers JOB_EV_ROW_CLOSED, or JOB_EV_LEFT in the
 * queue. */
enum job_do job_wait_for_return(struct job *job, uint64_t now_usec);
enum job_do job_step_returning(struct job *job, const struct job_event *event, uint64_t now_usec);
/* Whether the attempt that ends now may go on with the board's return. */
bool job_may_return(const struct job *job);
/* JOB_AWAY, and the board is on another port. */
enum job_do job_went_elsewhere(struct job *job, uint64_t now_usec);
/* JOB_AWAY: the detached board is back, in DFU mode, or to be detached again. */
enum job_do job_came_back(struct job *job, uint64_t now_usec);
