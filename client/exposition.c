/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/exposition.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/text.h"

struct writer {
        FILE *f;
        const char *family; /* the one that is written */
        int r;              /* what went wrong */
};

static void family(struct writer *w, const char *name, const char *type, const char *help)
{
        w->family = name;
        fprintf(w->f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value, between its quotes. What a terminal would obey is escaped as everywhere. */
static void put_value(struct writer *w, const char *value)
{
        _cleanup_(freep) char *text = text_escape(value);

        if (!text) {
                w->r = -ENOMEM;
                return;
        }
        for (const char *p = text; *p; p++) {
                if (*p == '\\' || *p == '"')
                        fputc('\\', w->f);
                fputc(*p, w->f);
        }
}

/* The sample's name, with up to two labels; suffix: of a histogram's parts. name_2 NULL: one label; name_1 NULL: none. */
static void begin_sample(struct writer *w, const char *suffix, const char *name_1, const char *value_1,
                         const char *name_2, const char *value_2)
{
        fprintf(w->f, "%s%s", w->family, suffix);
        if (name_1) {
                fprintf(w->f, "{%s=\"", name_1);
                put_value(w, value_1);
                if (name_2) {
                        fprintf(w->f, "\",%s=\"", name_2);
                        put_value(w, value_2);
                }
                fputs("\"}", w->f);
        }
}

static void sample(struct writer *w, const char *name_1, const char *value_1, uint64_t value)
{
        begin_sample(w, "", name_1, value_1, NULL, NULL);
        fprintf(w->f, " %" PRIu64 "\n", value);
}

/* Whole microseconds as seconds, in no locale's way. */
static void put_seconds(char *ret, size_t size, uint64_t usec)
{
        size_t n = (size_t)snprintf(ret, size, "%" PRIu64 ".%06" PRIu64, usec / USEC_PER_SEC,
                                    usec % USEC_PER_SEC);

        while (n > 0 && n < size && ret[n - 1] == '0')
                ret[--n] = '\0';
        if (n > 0 && n < size && ret[n - 1] == '.')
                ret[n - 1] = '\0';
}

static void sample_seconds(struct writer *w, const char *suffix, const char *name_1, const char *value_1,
                           uint64_t usec)
{
        char seconds[48];

        put_seconds(seconds, sizeof(seconds), usec);
        begin_sample(w, suffix, name_1, value_1, NULL, NULL);
        fprintf(w->f, " %s\n", seconds);
}

/* ---- the station now ---- */

static void write_station(struct writer *w, const struct station_status *s,
                          const struct station_counters *counters)
{
        uint64_t of_phase[PHASE_MAX_] = { 0 };

        family(w, "espdfu_info", "gauge", "Always 1; what the daemon is.");
        begin_sample(w, "", "station", s->name, "version", s->version);
        fputs(" 1\n", w->f);
        family(w, "espdfu_start_time_seconds", "gauge",
               "When the daemon was started, in seconds since 1970-01-01 UTC; its counters begin then.");
        sample_seconds(w, "", NULL, NULL, counters->since_realtime_usec);
        family(w, "espdfu_slots", "gauge", "Slots in this phase.");
        for (size_t i = 0; i < s->n_slots; i++)
                if (s->slots[i].phase < PHASE_MAX_)
                        of_phase[s->slots[i].phase]++;
        for (enum phase phase = 0; phase < PHASE_MAX_; phase++)
                sample(w, "phase", phase_to_string(phase), of_phase[phase]);
        family(w, "espdfu_held", "gauge", "1: the whole station is held.");
        sample(w, NULL, NULL, s->held != NULL);
        family(w, "espdfu_config_error", "gauge", "1: the last reload was refused.");
        sample(w, NULL, NULL, s->config_error != NULL);
        family(w, "espdfu_ledger_trouble", "gauge", "1: attempts cannot be recorded, so that none begins.");
        sample(w, NULL, NULL, s->ledger_trouble != NULL);
        family(w, "espdfu_consumer_lagging", "gauge",
               "1: who copies the ledger elsewhere is too far behind.");
        sample(w, NULL, NULL, s->lagging != NULL);
        family(w, "espdfu_policy_usable", "gauge",
               "1: the policy's image can be flashed; 0: why not, status says.");
        for (size_t i = 0; i < s->n_policies; i++)
                sample(w, "policy", s->policies[i].name, s->policies[i].unusable == NULL);
}

/* ---- what grows ---- */

static void write_boards(struct writer *w, const struct station_counters *counters)
{
        family(w, "espdfu_boards_total", "counter",
               "Boards that were flashed, given up (failed), or cancelled.");
        for (size_t i = 0; i < counters->n_policies; i++) {
                const struct policy_counters *p = &counters->policies[i];
                const struct {
                        const char *word;
                        uint64_t n;
                } results[] = { { "flashed", p->flashed },
                                { "failed", p->failed },
                                { "cancelled", p->cancelled } };

                for (size_t k = 0; k < ARRAY_SIZE(results); k++) {
                        begin_sample(w, "", "policy", p->policy, "result", results[k].word);
                        fprintf(w->f, " %" PRIu64 "\n", results[k].n);
                }
        }
        family(w, "espdfu_boards_first_pass_total", "counter",
               "Boards that were flashed with the first attempt.");
        for (size_t i = 0; i < counters->n_policies; i++)
                sample(w, "policy", counters->policies[i].policy, counters->policies[i].first_pass);
}

static void write_attempts(struct writer *w, const struct station_counters *counters)
{
        family(w, "espdfu_attempts_total", "counter", "Attempts that ended, by how.");
        for (size_t i = 0; i < counters->n_policies; i++)
                for (enum verdict v = VERDICT_NONE + 1; v < VERDICT_MAX_; v++) {
                        begin_sample(w, "", "policy", counters->policies[i].policy, "verdict",
                                     verdict_to_string(v));
                        fprintf(w->f, " %" PRIu64 "\n", counters->policies[i].attempts[v]);
                }
        family(w, "espdfu_downloaded_bytes_total", "counter",
               "Bytes that were sent to boards, by all attempts.");
        for (size_t i = 0; i < counters->n_policies; i++)
                sample(w, "policy", counters->policies[i].policy, counters->policies[i].bytes);
}

static void write_durations(struct writer *w, const struct station_counters *counters)
{
        family(w, "espdfu_flash_duration_seconds", "histogram", "How long the attempts that flashed took.");
        for (size_t i = 0; i < counters->n_policies; i++) {
                const struct policy_counters *p = &counters->policies[i];
                uint64_t n = 0;

                for (size_t k = 0; k < p->n_spans; k++) {
                        char bound[48] = "+Inf";

                        if (p->spans[k].up_to_usec != USEC_INFINITY)
                                put_seconds(bound, sizeof(bound), p->spans[k].up_to_usec);
                        n += p->spans[k].attempts;
                        begin_sample(w, "_bucket", "policy", p->policy, "le", bound);
                        fprintf(w->f, " %" PRIu64 "\n", n);
                }
                sample_seconds(w, "_sum", "policy", p->policy, p->flashed_usec);
                begin_sample(w, "_count", "policy", p->policy, NULL, NULL);
                fprintf(w->f, " %" PRIu64 "\n", n);
        }
}

static void write_ledger(struct writer *w, const struct exposition *e)
{
        family(w, "espdfu_ledger_attempts_total", "counter",
               "Attempts that were ever recorded: the number of the last one, over all starts of the "
               "daemon.");
        sample(w, NULL, NULL, e->counters->attempts_recorded);
        family(w, "espdfu_consumer_behind_attempts", "gauge",
               "Attempts that this consumer has not acknowledged.");
        for (size_t i = 0; i < e->n_consumers; i++)
                sample(w, "consumer", e->consumers[i].consumer, e->consumers[i].behind);
        family(w, "espdfu_consumer_seen_timestamp_seconds", "gauge",
               "When this consumer was last heard of, in seconds since 1970-01-01 UTC.");
        for (size_t i = 0; i < e->n_consumers; i++)
                sample_seconds(w, "", "consumer", e->consumers[i].consumer,
                               e->consumers[i].seen_realtime_usec);
}

int exposition_render(const struct exposition *exposition, char **ret)
{
        _cleanup_(freep) char *text = NULL;
        struct writer w = { 0 };
        size_t size;

        w.f = open_memstream(&text, &size);
        if (!w.f)
                return -ENOMEM;
        family(&w, "espdfu_up", "gauge", "1: the daemon answers.");
        sample(&w, NULL, NULL, exposition->station != NULL);
        if (exposition->station) {
                write_station(&w, exposition->station, exposition->counters);
                write_boards(&w, exposition->counters);
                write_attempts(&w, exposition->counters);
                write_durations(&w, exposition->counters);
                write_ledger(&w, exposition);
        }
        if (fclose(w.f) == EOF && w.r == 0)
                w.r = -ENOMEM;
        if (w.r < 0)
                return w.r;
        *ret = take_ptr(text);
        return 0;
}
