/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/counters.h"

/* From a small image at full speed to the largest at that of a busy hub. */
static const uint64_t span_ends[] = {
        1000 * USEC_PER_MSEC,  2500 * USEC_PER_MSEC,  5000 * USEC_PER_MSEC,  10000 * USEC_PER_MSEC,
        15000 * USEC_PER_MSEC, 20000 * USEC_PER_MSEC, 30000 * USEC_PER_MSEC, 45000 * USEC_PER_MSEC,
        60000 * USEC_PER_MSEC, 90000 * USEC_PER_MSEC, 120 * USEC_PER_SEC,    300 * USEC_PER_SEC,
        USEC_INFINITY,
};

void policy_counters_init(struct policy_counters *p)
{
        *p = (struct policy_counters){ .n_spans = ARRAY_SIZE(span_ends) };
        for (size_t i = 0; i < ARRAY_SIZE(span_ends); i++)
                p->spans[i].up_to_usec = span_ends[i];
}

void counters_init(struct counters *counters)
{
        *counters = (struct counters){ 0 };
        policy_counters_init(&counters->others);
}

void counters_done(struct counters *counters)
{
        for (size_t i = 0; i < counters->n; i++) {
                free(counters->policies[i]->policy);
                free(counters->policies[i]);
        }
        free(counters->policies);
        *counters = (struct counters){ 0 };
}

static struct policy_counters *new_policy(struct counters *counters, const char *name)
{
        struct policy_counters **grown, *p;

        if (counters->n == COUNTERS_POLICIES_MAX)
                return NULL;
        grown = realloc(counters->policies, (counters->n + 1) * sizeof(struct policy_counters *));
        if (!grown)
                return NULL;
        counters->policies = grown;
        p = malloc(sizeof(*p));
        if (!p)
                return NULL;
        policy_counters_init(p);
        p->policy = strdup(name);
        if (!p->policy) {
                free(p);
                return NULL;
        }
        return counters->policies[counters->n++] = p;
}

static struct policy_counters *find_policy(struct counters *counters, const char *name)
{
        struct policy_counters *p;

        for (size_t i = 0; i < counters->n; i++)
                if (streq(counters->policies[i]->policy, name))
                        return counters->policies[i];
        p = new_policy(counters, name);
        return p ? p : &counters->others;
}

static void add_span(struct policy_counters *p, uint64_t duration_usec)
{
        size_t i = 0;

        while (i + 1 < p->n_spans && duration_usec > p->spans[i].up_to_usec)
                i++;
        p->spans[i].attempts++;
        p->flashed_usec += duration_usec;
}

void counters_add(struct counters *counters, const struct attempt_record *attempt)
{
        struct policy_counters *p = find_policy(counters, attempt->policy ? attempt->policy : "");

        if (attempt->verdict >= VERDICT_MAX_)
                return;
        p->attempts[attempt->verdict]++;
        p->bytes += attempt->bytes;
        if (attempt->verdict == VERDICT_FLASHED) {
                p->flashed++;
                p->first_pass += attempt->attempt == 1;
                add_span(p, attempt->duration_usec);
        } else if (attempt->final) {
                p->failed += verdict_is_failure(attempt->verdict);
                p->cancelled += attempt->verdict == VERDICT_CANCELLED;
        }
}

/* ---- copies ---- */

void station_counters_done(struct station_counters *counters)
{
        for (size_t i = 0; i < counters->n_policies; i++)
                free(counters->policies[i].policy);
        free(counters->policies);
        *counters = (struct station_counters){ 0 };
}

static int copy_policy(const struct policy_counters *from, const char *name, struct station_counters *to)
{
        struct policy_counters *p = &to->policies[to->n_policies];

        *p = *from;
        p->policy = strdup(name);
        if (!p->policy)
                return -ENOMEM;
        to->n_policies++;
        return 0;
}

static bool is_used(const struct policy_counters *p)
{
        for (size_t i = 0; i < VERDICT_MAX_; i++)
                if (p->attempts[i] > 0)
                        return true;
        return false;
}

int counters_copy(const struct counters *counters, struct station_counters *ret)
{
        _cleanup_(station_counters_done) struct station_counters copy = { 0 };
        int r = 0;

        copy.policies = calloc(counters->n + 1, sizeof(*copy.policies));
        if (!copy.policies)
                return -ENOMEM;
        for (size_t i = 0; r == 0 && i < counters->n; i++)
                r = copy_policy(counters->policies[i], counters->policies[i]->policy, &copy);
        if (r == 0 && is_used(&counters->others))
                r = copy_policy(&counters->others, COUNTERS_OTHERS, &copy);
        if (r < 0)
                return r;
        *ret = copy;
        copy = (struct station_counters){ 0 };
        return 0;
}
