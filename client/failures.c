/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/failures.h"

static void failure_done(struct failure *f)
{
        free(f->slot);
        free(f->cause);
        *f = (struct failure){ 0 };
}

void failures_done(struct failures *failures)
{
        for (size_t i = 0; i < failures->n; i++)
                failure_done(&failures->list[i]);
        failures->n = 0;
}

static bool is_noted(const struct failures *failures, const char *slot, uint64_t realtime_usec)
{
        for (size_t i = 0; i < failures->n; i++)
                if (failures->list[i].realtime_usec == realtime_usec && streq(failures->list[i].slot, slot))
                        return true;
        return false;
}

static int note(struct failures *failures, const char *slot, uint64_t realtime_usec, enum verdict verdict,
                const char *message)
{
        struct failure new = { .realtime_usec = realtime_usec };
        size_t at = 0;

        if (!verdict_is_failure(verdict) || is_noted(failures, slot, realtime_usec))
                return 0;
        while (at < failures->n && failures->list[at].realtime_usec >= realtime_usec)
                at++;
        if (at == FAILURES_MAX)
                return 0;
        new.slot = strdup(slot);
        new.cause = strdup(message ? message : verdict_to_string(verdict));
        if (!new.slot || !new.cause) {
                failure_done(&new);
                return -ENOMEM;
        }
        if (failures->n == FAILURES_MAX)
                failure_done(&failures->list[--failures->n]);
        memmove(&failures->list[at + 1], &failures->list[at], (failures->n++ - at) * sizeof(new));
        failures->list[at] = new;
        return 0;
}

int failures_note_slot(struct failures *failures, const struct slot_status *slot)
{
        return note(failures, slot->slot, slot->last_realtime_usec, slot->last_verdict, slot->last_message);
}

int failures_note_attempt(struct failures *failures, const struct attempt_record *attempt)
{
        return note(failures, attempt->slot, attempt->end_realtime_usec, attempt->verdict, attempt->message);
}
