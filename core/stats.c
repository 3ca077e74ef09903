/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/stats.h"

#include "core/dfu-protocol.h"

/*
 * Durations are counted in a histogram: below 64 µs one bin each, above 64 bins from each power of two to the next, so a
 * bin's middle is within 1 % of what is in it. Two months are more than any attempt takes.
 */
#define BIN_BITS     6
#define BINS         (1u << BIN_BITS)
#define EXPONENT_MAX 42
#define N_BINS       ((EXPONENT_MAX - BIN_BITS + 2) * BINS)

struct group {
        struct stats_line line;
        uint64_t last_end_usec, flashed_usec;
        uint32_t bins[N_BINS];
};

struct groups {
        struct group **items; /* by name */
        size_t n;
};

struct errors {
        uint64_t n;
        char *message;
};

struct stats {
        struct group total;
        struct groups policies, slots;
        struct errors errors[VERDICT_MAX_][DFU_CODE_MAX_ + 1]; /* the last one: without a DFU status */
        uint64_t first_start_usec, last_end_usec;
};

static void line_done(struct stats_line *line)
{
        free(line->name);
}

void station_stats_done(struct station_stats *stats)
{
        line_done(&stats->total);
        for (size_t i = 0; i < stats->n_policies; i++)
                line_done(&stats->policies[i]);
        for (size_t i = 0; i < stats->n_slots; i++)
                line_done(&stats->slots[i]);
        for (size_t i = 0; i < stats->n_errors; i++) {
                free(stats->errors[i].dfu_status);
                free(stats->errors[i].message);
        }
        free(stats->policies);
        free(stats->slots);
        free(stats->errors);
        *stats = (struct station_stats){ 0 };
}

struct stats *stats_new(void)
{
        return calloc(1, sizeof(struct stats));
}

static void groups_done(struct groups *groups)
{
        for (size_t i = 0; i < groups->n; i++) {
                line_done(&groups->items[i]->line);
                free(groups->items[i]);
        }
        free(groups->items);
}

struct stats *stats_free(struct stats *stats)
{
        if (!stats)
                return NULL;
        groups_done(&stats->policies);
        groups_done(&stats->slots);
        for (size_t v = 0; v < VERDICT_MAX_; v++)
                for (size_t s = 0; s <= DFU_CODE_MAX_; s++)
                        free(stats->errors[v][s].message);
        free(stats);
        return NULL;
}

/* ---- durations ---- */

static size_t bin_of(uint64_t usec)
{
        uint64_t v = MIN(usec, (UINT64_C(1) << (EXPONENT_MAX + 1)) - 1);
        unsigned exponent;

        if (v < BINS)
                return (size_t)v;
        exponent = 63u - (unsigned)__builtin_clzll(v);
        return (exponent - BIN_BITS + 1) * BINS + (size_t)(v >> (exponent - BIN_BITS)) - BINS;
}

static uint64_t middle_of(size_t bin)
{
        size_t shift = bin / BINS;
        uint64_t width;

        if (shift == 0)
                return bin;
        width = UINT64_C(1) << (shift - 1);
        return (bin % BINS + BINS) * width + width / 2;
}

/* By nearest rank: the least that is not below 95 of 100. */
static uint64_t p95(const struct group *group)
{
        uint64_t rank = (group->line.flashed * 95 + 99) / 100, n = 0;

        for (size_t i = 0; i < N_BINS; i++) {
                n += group->bins[i];
                if (n >= rank)
                        return middle_of(i);
        }
        return USEC_INFINITY;
}

/* ---- taking in ---- */

/* Work goes on from one end to the next, unless a pause was between; after it, it begins with the attempt. */
static void add_work(struct group *group, const struct stats_attempt *a)
{
        uint64_t end = a->end_realtime_usec, last = group->last_end_usec;
        uint64_t since = end > last ? end - last : 0;

        if (last == 0 || since > STATS_PAUSE_USEC)
                group->line.worked_usec += a->duration_usec;
        else
                group->line.worked_usec += since;
        group->last_end_usec = MAX(end, last);
}

static void add_to(struct group *group, const struct stats_attempt *a)
{
        struct stats_line *line = &group->line;

        line->attempts++;
        add_work(group, a);
        if (a->verdict == VERDICT_FLASHED) {
                line->flashed++;
                line->first_pass += a->attempt == 1;
                group->flashed_usec += a->duration_usec;
                group->bins[bin_of(a->duration_usec)]++;
        } else if (a->final && a->verdict == VERDICT_CANCELLED) {
                line->cancelled++;
        } else if (a->final && verdict_is_failure(a->verdict)) {
                line->failed++;
        }
}

/* Where name is, or belongs. */
static size_t place_of(const struct groups *groups, const char *name)
{
        size_t low = 0, high = groups->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (strverscmp(groups->items[middle]->line.name, name) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

/* NULL: out of memory. */
static struct group *group_of(struct groups *groups, const char *name)
{
        size_t place = place_of(groups, name);
        struct group *group, **items;

        if (place < groups->n && streq(groups->items[place]->line.name, name))
                return groups->items[place];
        if (groups->n >= STATS_GROUPS_MAX && !streq(name, STATS_OTHERS))
                return group_of(groups, STATS_OTHERS);
        items = reallocarray(groups->items, groups->n + 1, sizeof(struct group *));
        if (!items)
                return NULL;
        groups->items = items;
        group = calloc(1, sizeof(*group));
        if (!group || !(group->line.name = strdup(name))) {
                free(group);
                return NULL;
        }
        memmove(&items[place + 1], &items[place], (groups->n - place) * sizeof(struct group *));
        items[place] = group;
        groups->n++;
        return group;
}

/* Whether an attempt that ended so is an error, be it followed by another or not. */
static bool is_error(enum verdict verdict)
{
        return verdict_is_failure(verdict) || verdict == VERDICT_INTERRUPTED;
}

static int add_error(struct stats *stats, const struct stats_attempt *a)
{
        int code = dfu_code_from_string(a->dfu_status);
        struct errors *errors = &stats->errors[a->verdict][code < 0 ? DFU_CODE_MAX_ : code];

        errors->n++;
        return free_and_strdup(&errors->message, a->message);
}

int stats_add(struct stats *stats, const struct stats_attempt *a)
{
        struct group *policy = group_of(&stats->policies, a->policy ? a->policy : "");
        struct group *slot = group_of(&stats->slots, a->slot ? a->slot : "");

        if (!policy || !slot)
                return -ENOMEM;
        add_to(&stats->total, a);
        add_to(policy, a);
        add_to(slot, a);
        if (stats->first_start_usec == 0 || a->start_realtime_usec < stats->first_start_usec)
                stats->first_start_usec = a->start_realtime_usec;
        stats->last_end_usec = MAX(stats->last_end_usec, a->end_realtime_usec);
        return is_error(a->verdict) ? add_error(stats, a) : 0;
}

/* ---- the result ---- */

static uint64_t ppm(uint64_t part, uint64_t whole)
{
        return whole == 0 ? USEC_INFINITY : (part * 1000000 + whole / 2) / whole;
}

static int finish_line(const struct group *group, struct stats_line *ret)
{
        *ret = group->line;
        ret->name = NULL;
        ret->yield_ppm = ppm(ret->flashed, ret->flashed + ret->failed);
        ret->first_pass_ppm = ppm(ret->first_pass, ret->flashed + ret->failed);
        ret->boards_per_hour = ret->worked_usec == 0
                                       ? USEC_INFINITY
                                       : (ret->flashed * 3600 * USEC_PER_SEC + ret->worked_usec / 2) /
                                                 ret->worked_usec;
        ret->mean_usec = ret->flashed == 0 ? USEC_INFINITY : group->flashed_usec / ret->flashed;
        ret->p95_usec = ret->flashed == 0 ? USEC_INFINITY : p95(group);
        return free_and_strdup(&ret->name, group->line.name);
}

static int finish_groups(const struct groups *groups, struct stats_line **ret, size_t *ret_n)
{
        int r = 0;

        if (groups->n == 0)
                return 0;
        *ret = calloc(groups->n, sizeof(**ret));
        if (!*ret)
                return -ENOMEM;
        for (*ret_n = 0; *ret_n < groups->n && r == 0; (*ret_n)++)
                r = finish_line(groups->items[*ret_n], &(*ret)[*ret_n]);
        return r;
}

/* The most frequent that is not in ret yet, or NULL; the table is small. */
static const struct errors *most_frequent(const struct stats *stats, uint64_t below,
                                          const struct errors *after)
{
        const struct errors *first = &stats->errors[0][0],
                            *end = first + sizeof(stats->errors) / sizeof(*first);
        const struct errors *best = NULL;

        for (const struct errors *e = first; e < end; e++)
                if (e->n > 0 && (e->n < below || (e->n == below && after && e > after)) &&
                    (!best || e->n > best->n))
                        best = e;
        return best;
}

static int finish_errors(const struct stats *stats, struct station_stats *ret)
{
        const struct errors *first = &stats->errors[0][0], *e = NULL;

        ret->errors = calloc(STATS_ERRORS_MAX, sizeof(*ret->errors));
        if (!ret->errors)
                return -ENOMEM;
        while (ret->n_errors < STATS_ERRORS_MAX && (e = most_frequent(stats, e ? e->n : UINT64_MAX, e))) {
                struct stats_error *error = &ret->errors[ret->n_errors++];
                size_t code = (size_t)(e - first) % (DFU_CODE_MAX_ + 1);

                error->verdict = (enum verdict)((size_t)(e - first) / (DFU_CODE_MAX_ + 1));
                error->attempts = e->n;
                if (free_and_strdup(&error->message, e->message) < 0 ||
                    (code < DFU_CODE_MAX_ &&
                     free_and_strdup(&error->dfu_status, dfu_code_to_string((enum dfu_code)code)) < 0))
                        return -ENOMEM;
        }
        return 0;
}

int stats_result(const struct stats *stats, struct station_stats *ret)
{
        struct station_stats result = { .first_start_realtime_usec = stats->first_start_usec,
                                        .last_end_realtime_usec = stats->last_end_usec };
        int r = finish_line(&stats->total, &result.total);

        if (r == 0)
                r = finish_groups(&stats->policies, &result.policies, &result.n_policies);
        if (r == 0)
                r = finish_groups(&stats->slots, &result.slots, &result.n_slots);
        if (r == 0)
                r = finish_errors(stats, &result);
        if (r < 0)
                station_stats_done(&result);
        else
                *ret = result;
        return r;
}
