/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/ledger-questions.h"

#include "core/messages.h"
#include "daemon/ledger-history.h"
#include "daemon/ledger-retain.h"
#include "daemon/ledger-stats.h"

/* Takes it in any case. */
static int push(struct ledger *ledger, struct ledger_question *question)
{
        int r = ledger_asker_push(ledger_asker_of(ledger), question);

        if (r < 0)
                question->free(question);
        return r;
}

/* ---- a page of history ---- */

struct history_question {
        struct ledger_question question; /* first */
        struct history_filter filter;
        struct history_page page;
        size_t limit;
        history_page_t done;
};

static int ask_history(struct ledger_db *db, struct ledger_question *question)
{
        struct history_question *q = (struct history_question *)question;

        return ledger_history_page(db, &q->filter, q->limit, &q->page);
}

static void answer_history(struct ledger_question *question)
{
        struct history_question *q = (struct history_question *)question;

        q->done(question->userdata, question->r, question->r < 0 ? NULL : &q->page);
}

static void free_history(struct ledger_question *question)
{
        struct history_question *q = (struct history_question *)question;

        attempts_free(q->page.attempts, q->page.n);
        history_filter_done(&q->filter);
        free(q);
}

int ledger_history(struct ledger *ledger, const struct history_filter *filter, const struct history_at *at,
                   unsigned limit, history_page_t done, void *userdata)
{
        struct history_question *q;

        if (limit < 1 || limit > LEDGER_HISTORY_MAX)
                return -EINVAL;
        q = calloc(1, sizeof(*q));
        if (!q)
                return -ENOMEM;
        q->question = (struct ledger_question){
                .ask = ask_history, .answer = answer_history, .free = free_history, .userdata = userdata
        };
        q->limit = limit;
        q->done = done;
        q->page.at = *at;
        q->page.attempts = calloc(limit, sizeof(*q->page.attempts));
        if (!q->page.attempts || history_filter_copy(filter, &q->filter) < 0) {
                free_history(&q->question);
                return -ENOMEM;
        }
        return push(ledger, &q->question);
}

/* ---- figures ---- */

struct stats_question {
        struct ledger_question question; /* first */
        struct history_filter filter;
        struct ledger_stats_work work;
        struct station_stats stats;
        ledger_stats_t done;
};

static int ask_stats(struct ledger_db *db, struct ledger_question *question)
{
        struct stats_question *q = (struct stats_question *)question;

        return ledger_stats_turn(db, &q->filter, &q->work, &q->stats);
}

static void answer_stats(struct ledger_question *question)
{
        struct stats_question *q = (struct stats_question *)question;

        q->done(question->userdata, question->r, question->r < 0 ? NULL : &q->stats);
}

static void free_stats(struct ledger_question *question)
{
        struct stats_question *q = (struct stats_question *)question;

        ledger_stats_done(&q->work);
        station_stats_done(&q->stats);
        history_filter_done(&q->filter);
        free(q);
}

int ledger_stats(struct ledger *ledger, const struct history_filter *filter, ledger_stats_t done,
                 void *userdata)
{
        struct stats_question *q = calloc(1, sizeof(*q));

        if (!q)
                return -ENOMEM;
        q->question = (struct ledger_question){
                .ask = ask_stats, .answer = answer_stats, .free = free_stats, .userdata = userdata
        };
        q->done = done;
        if (history_filter_copy(filter, &q->filter) < 0) {
                free(q);
                return -ENOMEM;
        }
        return push(ledger, &q->question);
}

/* ---- consumers ---- */

struct consumers_question {
        struct ledger_question question; /* first */
        struct consumer_status *consumers;
        size_t n;
        ledger_consumers_t done;
};

static int ask_consumers(struct ledger_db *db, struct ledger_question *question)
{
        struct consumers_question *q = (struct consumers_question *)question;

        db->deadline_usec = 0;
        return ledger_db_consumers(db, &q->consumers, &q->n);
}

static void answer_consumers(struct ledger_question *question)
{
        struct consumers_question *q = (struct consumers_question *)question;

        q->done(question->userdata, question->r, q->consumers, q->n);
}

static void free_consumers(struct ledger_question *question)
{
        struct consumers_question *q = (struct consumers_question *)question;

        consumers_free(q->consumers, q->n);
        free(q);
}

int ledger_consumers(struct ledger *ledger, ledger_consumers_t done, void *userdata)
{
        struct consumers_question *q = calloc(1, sizeof(*q));

        if (!q)
                return -ENOMEM;
        q->question = (struct ledger_question){
                .ask = ask_consumers, .answer = answer_consumers, .free = free_consumers, .userdata = userdata
        };
        q->done = done;
        return push(ledger, &q->question);
}
