/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of a job share: job.c (from the queue to the end), job-engine.c (while an engine runs). */
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

/* JOB_RUNNING. */
enum job_do job_step_running(struct job *job, const struct job_event *event, uint64_t now_usec);
/* JOB_AWAY: the detached board is back, in DFU mode, or to be detached again. */
enum job_do job_came_back(struct job *job, uint64_t now_usec);
