/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a slot shows of itself. */
#include "daemon/slot-internal.h"

#include <stdio.h>

#include "core/text.h"

static int copy(char **ret, const char *text)
{
        return free_and_strdup(ret, text);
}

/* The average since the first block: erasing and writing take turns, so what a moment shows means nothing. */
static void add_rate(const struct job *job, uint64_t now_usec, struct slot_status *ret)
{
        uint64_t elapsed;

        ret->left_usec = USEC_INFINITY;
        if (job->phase != PHASE_DOWNLOADING || job->download_start_usec == 0 || job->bytes_done == 0)
                return;
        elapsed = now_usec - job->download_start_usec;
        if (elapsed < 100 * USEC_PER_MSEC)
                return;
        ret->rate = job->bytes_done * USEC_PER_SEC / elapsed;
        if (ret->rate > 0)
                ret->left_usec = (job->bytes_total - job->bytes_done) * USEC_PER_SEC / ret->rate;
}

static void add_job(const struct slot *slot, struct slot_status *ret)
{
        const struct job *job = &slot->job;
        uint64_t now = clock_boottime_usec();

        ret->bytes_done = job->bytes_done;
        ret->bytes_total = job->bytes_total;
        ret->attempt = job->attempt;
        ret->attempts_max = job->params.attempts_max;
        if (job_is_running(job))
                ret->elapsed_usec = now - job->attempt_start_usec;
        add_rate(job, now, ret);
}

static int add_board(const struct slot *slot, struct slot_status *ret)
{
        int r = 0;

        if (slot->board->chip)
                r = copy(&ret->chip, slot->board->chip->name);
        if (r == 0)
                r = copy(&ret->mac, slot->board->mac);
        return r;
}

/* What is on a board that was flashed before the daemon's restart. */
static int add_settled(const struct attempt_record *last, struct slot_status *ret)
{
        int r = copy(&ret->policy, last->policy);

        if (r == 0)
                r = copy(&ret->image_name, last->image_name);
        if (r == 0)
                r = copy(&ret->image_version, last->image_version);
        return r;
}

static int add_last(const struct slot *slot, struct slot_status *ret)
{
        const struct attempt_record *last = ledger_last_of_port(slot->world->ledger, slot->path, slot->port);
        int r;

        if (!last)
                return 0;
        ret->last_verdict = last->verdict;
        ret->last_realtime_usec = last->end_realtime_usec;
        r = copy(&ret->last_message, last->message);
        return r == 0 && slot->settled ? add_settled(last, ret) : r;
}

static const char *message_of(const struct slot *slot)
{
        bool has_text = slot->has_job && slot->job.message[0] != '\0';

        /* An empty slot says what was meant for it; that the whole station is held stands in the header. */
        if (!slot->has_job && !slot->present && !slot->message)
                return holds_of_port(slot->world->holds, slot->path, slot->port);
        if (!slot->has_job)
                return slot->message;
        if (slot->job.state == JOB_QUEUED && slot_held(slot))
                return slot_held(slot);
        if ((slot->job.state == JOB_QUEUED || slot->job.state == JOB_RETURNING) && slot->waits)
                return slot->waits;
        /* While an attempt runs, what the one before said is not why the slot is as it is. */
        return has_text && (!job_is_running(&slot->job) || slot->job.start_waits) ? slot->job.message : NULL;
}

static int fill(const struct slot *slot, struct slot_status *ret)
{
        bool shows_board = slot->board && (slot->present || slot->has_job);
        int r;

        r = copy(&ret->slot, slot->name);
        if (r == 0)
                r = copy(&ret->port, slot->port);
        if (r == 0)
                r = copy(&ret->path, slot->path);
        if (r == 0 && shows_board)
                r = add_board(slot, ret);
        if (r == 0)
                r = copy(&ret->policy, slot->policy);
        if (r == 0 && slot->image)
                r = copy(&ret->image_name, slot->image->name);
        if (r == 0 && slot->image)
                r = copy(&ret->image_version, slot->image->version);
        if (r == 0)
                r = copy(&ret->data_file, slot->data.file);
        if (r == 0)
                r = copy(&ret->message, message_of(slot));
        if (r == 0)
                r = add_last(slot, ret);
        return r;
}

int slot_status(const struct slot *slot, struct slot_status *ret)
{
        struct slot_status status = { .phase = slot_phase(slot), .left_usec = USEC_INFINITY };
        int r;

        if (slot->has_job)
                add_job(slot, &status);
        r = fill(slot, &status);
        if (r < 0) {
                slot_status_done(&status);
                return r;
        }
        *ret = status;
        return 0;
}

/* ---- explain ---- */

#define ANSWER_TEXT_MAX                                                                                      \
        128 /* bytes of what a policy wants, and of what there is: there may be 512 policies in a reply */

static int copy_short(char **ret, const char *text)
{
        *ret = text_to_utf8(text, ANSWER_TEXT_MAX);
        return *ret ? 0 : -ENOMEM;
}

static int explain_policy(const struct config_policy *policy, const struct board_facts *facts,
                          struct explain_policy *ret)
{
        struct policy_mismatch mismatch = { 0 };
        int r;

        ret->matches = policy_matches(policy, facts, &mismatch);
        r = copy(&ret->policy, policy->name);
        if (r < 0 || ret->matches)
                return r;
        r = copy(&ret->key, mismatch.key);
        if (r == 0)
                r = copy_short(&ret->wanted, mismatch.wanted);
        if (r == 0)
                r = copy_short(&ret->found, mismatch.found ? mismatch.found : "none");
        return r;
}

static int explain_policies(const struct slot *slot, struct explanation *ret)
{
        const struct config *config = slot->world->config;
        struct board_facts facts = board_facts(slot->board, slot->name);

        ret->policies = calloc(config->n_policies + 1, sizeof(*ret->policies));
        if (!ret->policies)
                return -ENOMEM;
        for (size_t i = 0; i < config->n_policies; i++) {
                struct explain_policy *answer = &ret->policies[ret->n_policies++];
                int r = explain_policy(&config->policies[i], &facts, answer);

                if (r < 0)
                        return r;
                if (answer->matches)
                        return copy(&ret->chosen, config->policies[i].name);
        }
        return 0;
}

static int explain_choice(const struct slot *slot, struct explanation *ret)
{
        struct board_facts facts = board_facts(slot->board, slot->name);
        const struct config_policy *policy = policy_for(slot->world->config, &facts);

        return policy ? copy(&ret->chosen, policy->name) : 0;
}

/* Under way, it is not asked about any more: a reload counts for the next board. */
static int explain_job(const struct slot *slot, char **ret)
{
        const char *given = slot->image->given ? slot->image->path : NULL;

        return asprintf(ret, "attempt %u runs by policy %s%s with image %s%s%s%s%s%s", slot->job.attempt,
                        slot->policy ? slot->policy : "none", slot->ordered ? ", as a person ordered," : "",
                        slot->image->name, given ? " (" : "", given ? given : "", given ? ")" : "",
                        slot->data.file ? " and board data " : "", slot->data.file ? slot->data.file : "") < 0
                       ? -ENOMEM
                       : 0;
}

/* That it is held counts for the next board too. */
static int explain_hold(const struct slot *slot, char **message)
{
        _cleanup_(freep) char *before = *message;
        const char *held = slot_held(slot);

        if (!held || streq_ptr(before, held)) {
                before = NULL;
                return 0;
        }
        if (asprintf(message, "%s%s%s", before ? before : "", before ? "; " : "", held) < 0)
                return *message = NULL, -ENOMEM;
        return 0;
}

static int explain(const struct slot *slot, bool in_full, struct explanation *ret)
{
        char what[96];
        int r;

        r = copy(&ret->slot, slot->name);
        if (r == 0)
                r = copy(&ret->port, slot->port);
        if (r == 0)
                r = slot->has_job && job_is_running(&slot->job) ? explain_job(slot, &ret->message)
                                                                : copy(&ret->message, message_of(slot));
        if (r == 0)
                r = explain_hold(slot, &ret->message);
        if (r == 0)
                r = copy(&ret->held, holds_of_port(slot->world->holds, slot->path, slot->port));
        if (r < 0 || !slot->present)
                return r;
        r = copy(&ret->board, board_describe(slot->board, what, sizeof(what)));
        if (r == 0)
                r = in_full ? explain_policies(slot, ret) : explain_choice(slot, ret);
        return r < 0 || !ret->chosen || !in_full ? r : slot_data_explain(slot, ret->chosen, &ret->message);
}

int slot_explain(const struct slot *slot, bool in_full, struct explanation *ret)
{
        struct explanation explanation = { .present = slot->present, .phase = slot_phase(slot) };
        int r = explain(slot, in_full, &explanation);

        if (r < 0) {
                explanation_done(&explanation);
                return r;
        }
        *ret = explanation;
        return 0;
}
