/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The thread that reads the ledger for those who ask: the event loop never waits for the disk. Questions are asked one
 * after the other; a long one is asked in turns with the others. Answers come back in the event loop, by an eventfd.
 *
 * Who owns a question: from push on the asker; it is freed after its answer.
 */
#pragma once

#include "daemon/ledger-db.h"

#define LEDGER_QUESTIONS_MAX 128u /* that wait; the socket has fewer peers, and each has one */

struct ledger_question {
        /* In the thread, with its connection. 1: not done, ask again when others had their turn; 0; or a negative errno. */
        int (*ask)(struct ledger_db *db, struct ledger_question *question);
        /* In the event loop, once; not when it was forgotten. r is what ask returned. */
        void (*answer)(struct ledger_question *question);
        void (*free)(struct ledger_question *question);
        void *userdata; /* of who asked */
        int r;

        /* The asker's. */
        struct ledger_question *next;
        bool forgotten;
};

struct ledger_asker;

/* Takes db when it succeeds. */
int ledger_asker_start(struct ledger_db *db, struct ledger_asker **ret);
/* Ends the thread after the turn that it is at; nothing more is answered. */
struct ledger_asker *ledger_asker_free(struct ledger_asker *asker);

/* 0 and takes the question; -ENOBUFS with LEDGER_QUESTIONS_MAX waiting. */
int ledger_asker_push(struct ledger_asker *asker, struct ledger_question *question);
/* Nothing with this userdata is answered any more. */
void ledger_asker_forget(struct ledger_asker *asker, void *userdata);
/* The eventfd, and what to do when it is readable. */
int ledger_asker_fd(const struct ledger_asker *asker);
void ledger_asker_answer(struct ledger_asker *asker);
