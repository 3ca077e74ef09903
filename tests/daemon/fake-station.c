/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/daemon/fake-station.h"

#include <stdio.h>
#include <sys/stat.h>

#include "core/holds.h"
#include "core/messages.h"
#include "daemon/given.h"

#define MINUTE (60 * USEC_PER_SEC)

/* A copy that owns its texts: by way of the wire, which has tests of its own. */
static int copy_update(const struct status_update *from, struct status_update *ret)
{
        json_t *wire = status_update_to_json(from);
        int r = wire ? status_update_from_json(wire, ret) : -ENOMEM;

        json_decref(wire);
        return r;
}

static int fake_status(void *userdata, struct station_status *ret)
{
        struct fake_station *s = userdata;
        struct status_update from = { .station = s->header, .whole = true }, copy;
        int r;

        if (s->error)
                return s->error;
        from.station.slots = s->slots;
        from.station.n_slots = s->n_slots;
        from.station.policies = s->policies;
        from.station.n_policies = s->n_policies;
        r = copy_update(&from, &copy);
        if (r < 0)
                return r;
        *ret = copy.station;
        return 0;
}

static int fake_header(void *userdata, struct station_status *ret)
{
        struct fake_station *s = userdata;
        struct status_update from = { .station = s->header }, copy;
        int r;

        if (s->error)
                return s->error;
        r = copy_update(&from, &copy);
        if (r < 0)
                return r;
        *ret = copy.station;
        return 0;
}

struct slot_status *fake_station_slot(struct fake_station *s, const char *name)
{
        for (size_t i = 0; i < s->n_slots; i++)
                if (streq(s->slots[i].slot, name))
                        return &s->slots[i];
        return NULL;
}

void fake_station_remove(struct fake_station *s, const char *name)
{
        struct slot_status *slot = fake_station_slot(s, name);

        if (slot)
                *slot = s->slots[--s->n_slots];
}

static int fake_slot(void *userdata, const char *name, struct slot_status *ret)
{
        struct fake_station *s = userdata;
        struct slot_status *slot = fake_station_slot(s, name);
        struct status_update from = { .station = { .slots = slot, .n_slots = 1 } }, copy;
        int r;

        if (s->error)
                return s->error;
        if (!slot)
                return 1;
        r = copy_update(&from, &copy);
        if (r < 0)
                return r;
        *ret = copy.station.slots[0];
        copy.station.slots[0] = (struct slot_status){ 0 };
        status_update_done(&copy);
        return 0;
}

static int fake_explain(void *userdata, const char *where, struct explanation **ret, size_t *ret_n)
{
        struct fake_station *s = userdata;
        struct explain_policy answers[] = {
                { .policy = TEXT("probe"),
                  .key = TEXT("chip"),
                  .wanted = TEXT("esp32s3"),
                  .found = TEXT("esp32s2") },
                { .policy = TEXT("gizmo"), .matches = true },
        };
        const struct slot_status *slot = where ? fake_station_slot(s, where) : &s->slots[0];
        json_t *wire;
        int r;

        if (s->error)
                return s->error;
        if (!slot)
                return 1;
        wire = explanations_to_json(&(struct explanation){ .slot = slot->slot,
                                                           .port = slot->port,
                                                           .present = true,
                                                           .board = TEXT("ESP32-S2 in DFU mode"),
                                                           .phase = slot->phase,
                                                           .chosen = TEXT("gizmo"),
                                                           .message = TEXT("it is being flashed"),
                                                           .policies = answers,
                                                           .n_policies = where ? ARRAY_SIZE(answers) : 0 },
                                    1);
        r = wire ? explanations_from_json(wire, ret, ret_n) : -ENOMEM;
        json_decref(wire);
        return r;
}

static struct attempt_record fake_attempt(int64_t id)
{
        return (struct attempt_record){
                .id = id,
                .sequence = id,
                .job = TEXT("0c1d"),
                .attempt = 1,
                .slot = id % 2 ? TEXT("A1") : TEXT("A2"),
                .port = id % 2 ? TEXT("1-4.1") : TEXT("1-4.2"),
                .path = id % 2 ? TEXT("pci-0000:00:14.0-usb-0:4.1") : TEXT(FAKE_PATH_A2),
                .chip = TEXT("esp32s3"),
                .mac = TEXT("7c:df:a1:0b:00:12"),
                .policy = TEXT("gizmo"),
                .image_path = TEXT("/srv/gizmo.bin"),
                .image_name = TEXT("gizmo"),
                .image_version = TEXT("1.4.2"),
                .image_sha256 = TEXT("00ff"),
                .boot_id = TEXT("b007"),
                .clock_synchronized = true,
                .start_realtime_usec = UINT64_C(1700000000) * USEC_PER_SEC + (uint64_t)id * MINUTE,
                .end_realtime_usec = UINT64_C(1700000004) * USEC_PER_SEC + (uint64_t)id * MINUTE,
                .duration_usec = 4200 * USEC_PER_MSEC,
                .bytes = 262144,
                .transfers = 64,
                .verdict = id % 5 ? VERDICT_FLASHED : VERDICT_BOARD_LEFT,
                .message = id % 5 ? NULL : TEXT("board left at 24 kB"),
        };
}

static void fake_forget(void *userdata, void *peer)
{
        struct fake_station *s = userdata;

        if (s->late_peer == peer)
                s->late = NULL;
}

bool fake_station_answer(struct fake_station *s)
{
        void (*late)(struct fake_station *) = take_ptr(s->late);

        if (late)
                late(s);
        return late;
}

static void late_history(struct fake_station *s)
{
        struct history_page page = { .ended = true };

        s->late_history(s->late_peer, 0, &page);
}

static void late_stats(struct fake_station *s)
{
        struct station_stats stats = { 0 };

        s->late_stats(s->late_peer, 0, &stats);
}

static void late_consumers(struct fake_station *s)
{
        s->late_consumers(s->late_peer, 0, NULL, 0);
}

static bool passes(const struct history_filter *f, const struct attempt_record *row)
{
        return (!f->slot || streq(f->slot, row->slot)) && (!f->place || streq_ptr(f->place, row->path)) &&
               (!f->port || streq_ptr(f->port, row->port)) && (!f->mac || streq(f->mac, row->mac)) &&
               (!f->image || streq(f->image, row->image_name)) &&
               (!f->has_verdict || f->verdict == row->verdict) &&
               (f->since_usec == 0 || row->start_realtime_usec >= f->since_usec) &&
               (f->until_usec == 0 || row->start_realtime_usec < f->until_usec) &&
               (!f->by_sequence || row->sequence > f->after);
}

/* A page ends after HISTORY_LOOKED rows that were looked at, as the real one does after some time. */
#define HISTORY_LOOKED 400

static const char *fake_slot_called(void *userdata, const char *where)
{
        const struct fake_station *s = userdata;

        for (size_t i = 0; i < s->n_slots; i++)
                if (streq(s->slots[i].slot, where) || streq_ptr(s->slots[i].port, where))
                        return s->slots[i].slot;
        return NULL;
}

static const char *fake_path_of(void *userdata, const char *where)
{
        (void)userdata;
        return streq(where, "1-4.2") ? FAKE_PATH_A2 : NULL;
}

static int fake_history(void *userdata, const struct history_filter *filter, const struct history_at *from,
                        unsigned limit, history_page_t done, void *peer)
{
        struct fake_station *s = userdata;
        struct history_at at = from->begun ? *from : (struct history_at){ true, 1, s->n_attempts + 1 };
        bool up = filter->oldest_first || filter->by_sequence;
        struct attempt_record rows[1000];
        struct history_page page = { 0 };
        size_t n = 0;
        json_t *wire;
        int r;

        if (s->answers_late) {
                s->late = late_history;
                s->late_peer = peer;
                s->late_history = done;
                return 0;
        }
        if (s->error)
                return s->error;
        s->n_history++;
        for (unsigned looked = 0; looked < HISTORY_LOOKED && at.low < at.high && n < MIN(limit, 1000U);
             looked++) {
                struct attempt_record row = fake_attempt(up ? at.low++ : --at.high);

                if (passes(filter, &row))
                        rows[n++] = row;
        }
        wire = attempts_to_json(rows, n);
        r = wire ? attempts_from_json(wire, &page.attempts, &page.n) : -ENOMEM;
        json_decref(wire);
        if (r < 0)
                return r;
        page.at = at;
        page.ended = at.low >= at.high;
        done(peer, 0, &page);
        attempts_free(page.attempts, page.n);
        return 0;
}

static int fake_stats(void *userdata, const struct history_filter *filter,
                      void (*done)(void *peer, int r, struct station_stats *stats), void *peer)
{
        struct fake_station *s = userdata;
        _cleanup_(stats_freep) struct stats *stats = stats_new();
        struct station_stats result = { 0 };

        if (s->answers_late) {
                s->late = late_stats;
                s->late_peer = peer;
                s->late_stats = done;
                return 0;
        }
        if (s->error)
                return s->error;
        for (int64_t id = 1; id <= s->n_attempts; id++) {
                struct attempt_record row = fake_attempt(id);

                if (passes(filter, &row))
                        stats_add(stats, &(struct stats_attempt){
                                                 .policy = row.policy,
                                                 .slot = row.slot,
                                                 .attempt = row.attempt,
                                                 .verdict = row.verdict,
                                                 .final = true,
                                                 .message = row.message,
                                                 .start_realtime_usec = row.start_realtime_usec,
                                                 .end_realtime_usec = row.end_realtime_usec,
                                                 .duration_usec = row.duration_usec,
                                         });
        }
        if (stats_result(stats, &result) < 0)
                return -ENOMEM;
        result.rows = (uint64_t)s->n_attempts;
        result.first_sequence = 1;
        result.last_sequence = s->n_attempts;
        done(peer, 0, &result);
        station_stats_done(&result);
        return 0;
}

/* The attempts of History, as if all of them had been made since the start. */
static int fake_counters(void *userdata, struct station_counters *ret)
{
        struct fake_station *s = userdata;
        struct counters counters;
        int r;

        if (s->error)
                return s->error;
        counters_init(&counters);
        for (int64_t id = 1; id <= s->n_attempts; id++) {
                struct attempt_record row = fake_attempt(id);

                row.final = true;
                counters_add(&counters, &row);
        }
        r = counters_copy(&counters, ret);
        counters_done(&counters);
        ret->since_realtime_usec = UINT64_C(1700000000) * USEC_PER_SEC;
        ret->attempts_recorded = (uint64_t)s->n_attempts + 1000;
        return r;
}

/* The bridge is registered, and nobody else. */
static int fake_consumers(void *userdata,
                          void (*done)(void *peer, int r, const struct consumer_status *consumers, size_t n),
                          void *peer)
{
        struct fake_station *s = userdata;
        const struct consumer_status bridge = { .consumer = TEXT("bridge"),
                                                .sequence = 2,
                                                .behind = (uint64_t)s->n_attempts - 2,
                                                .seen_realtime_usec = UINT64_C(1700000000) * USEC_PER_SEC,
                                                .user = FAKE_BRIDGE_USER };

        if (s->answers_late) {
                s->late = late_consumers;
                s->late_peer = peer;
                s->late_consumers = done;
                return 0;
        }
        if (s->error)
                return s->error;
        done(peer, 0, &bridge, 1);
        return 0;
}

static bool fake_consumer_is_of(void *userdata, const char *name, uid_t uid)
{
        (void)userdata;
        return streq(name, "bridge") && uid == FAKE_BRIDGE_USER;
}

static int fake_consumer(void *userdata, enum consumer_action action, const char *name, int64_t sequence,
                         uint64_t user, void (*done)(void *peer, int r, int64_t id, int64_t sequence),
                         void *peer)
{
        struct fake_station *s = userdata;
        static const char *const actions[] = { "register", "acknowledge", "unregister" };
        int r = sequence > s->n_attempts                                 ? -ERANGE
                : action != CONSUMER_REGISTER && !streq(name, "bridge")  ? -ENOENT
                : action == CONSUMER_REGISTER && streq(name, "too-many") ? -EUSERS
                : streq(name, "on-full-disk")                            ? -ENOSPC
                                                                         : 0;

        if (s->error)
                return s->error;
        snprintf(s->ordered, sizeof(s->ordered), "%s %s %lld", actions[action], name, (long long)sequence);
        if (user != USEC_INFINITY)
                snprintf(s->ordered, sizeof(s->ordered), "%s %s %lld for %llu", actions[action], name,
                         (long long)sequence, (unsigned long long)user);
        if (done)
                done(peer, r, 0, action == CONSUMER_UNREGISTER ? 2 : sequence);
        return 0;
}

static int fake_reload(void *userdata, struct reload_result *ret)
{
        struct fake_station *s = userdata;
        json_t *wire;
        int r;

        if (s->error)
                return s->error;
        s->n_reloads++;
        wire = reload_result_to_json(&s->reload);
        r = wire ? reload_result_from_json(wire, ret) : -ENOMEM;
        json_decref(wire);
        return r;
}

/* ---- orders ---- */

static bool is_at(const struct slot_status *slot, const char *where)
{
        return streq(slot->slot, where) || streq_ptr(slot->port, where) || streq_ptr(slot->path, where);
}

static struct slot_status *fake_find(struct fake_station *s, const char *where)
{
        for (size_t i = 0; i < s->n_slots; i++)
                if (is_at(&s->slots[i], where))
                        return &s->slots[i];
        return NULL;
}

static int fake_cancel(void *userdata, const char *where, const char *who, char **ret_place)
{
        struct fake_station *s = userdata;
        struct slot_status *slot = fake_find(s, where);

        if (s->error)
                return s->error;
        if (!slot)
                return SERVER_NO_SUCH_SLOT;
        if (!phase_is_running(slot->phase) && slot->phase != PHASE_QUEUED)
                return SERVER_NOTHING_RUNNING;
        snprintf(s->ordered, sizeof(s->ordered), "cancel %s by %s", slot->slot, who);
        if (!s->cancel_takes_time) {
                slot->phase = PHASE_CANCELLED;
                slot->message = TEXT("cancelled by user joe at byte 4096 of 262144");
        }
        return free_and_strdup(ret_place, slot->port ? slot->port : slot->slot);
}

static int fake_hold(void *userdata, const char *where, const char *who, const char *reason, char **ret_text)
{
        struct fake_station *s = userdata;
        struct slot_status *slot = where ? fake_find(s, where) : NULL;
        static char texts[2][HOLD_TEXT_MAX]; /* the station's, the last slot's */

        if (s->error)
                return s->error;
        if (where && !slot)
                return SERVER_NO_SUCH_SLOT;
        snprintf(s->ordered, sizeof(s->ordered), "hold %s by %s: %s", slot ? slot->slot : "all", who,
                 reason ? reason : "-");
        hold_text(texts[where != NULL], who, reason);
        if (!slot)
                s->header.held = texts[0];
        else
                slot->message = texts[1];
        return free_and_strdup(ret_text, texts[where != NULL]);
}

/* A5's policy has no image; A3 is not held. */
static int fake_release(void *userdata, const char *where, const char *who, bool *ret_was_held,
                        char **ret_why)
{
        struct fake_station *s = userdata;
        struct slot_status *slot = where ? fake_find(s, where) : NULL;

        if (s->error)
                return s->error;
        if (where && !slot)
                return SERVER_NO_SUCH_SLOT;
        snprintf(s->ordered, sizeof(s->ordered), "release %s by %s", slot ? slot->slot : "all", who);
        if (slot && streq(slot->slot, "A5"))
                return asprintf(ret_why, "policy probe says action = hold and names no image to flash") < 0
                               ? -ENOMEM
                               : SERVER_NOT_RELEASED;
        *ret_was_held = !slot ? s->header.held != NULL : !streq(slot->slot, "A3");
        if (slot)
                slot->message = NULL;
        else
                s->header.held = NULL;
        return 0;
}

/* A4 failed; it begins when the test says server_begun(). */
static int fake_retry(void *userdata, const char *where, const char *who, uint64_t *ret_order, char **ret_why)
{
        struct fake_station *s = userdata;
        struct slot_status *slot = fake_find(s, where);

        if (s->error)
                return s->error;
        if (!slot)
                return SERVER_NO_SUCH_SLOT;
        if (slot->phase != PHASE_FAILED)
                return asprintf(ret_why, "is empty; nothing to retry") < 0 ? -ENOMEM : SERVER_NOT_RETRIED;
        snprintf(s->ordered, sizeof(s->ordered), "retry %s by %s", slot->slot, who);
        *ret_order = ++s->n_retries;
        return 0;
}

/* A4 failed, and can be flashed; it begins as with retry. */
static int fake_flash(void *userdata, const char *where, const char *who, const struct given_image *given,
                      uint64_t *ret_order, char **ret_why)
{
        struct fake_station *s = userdata;
        struct slot_status *slot = fake_find(s, where);
        struct stat st = { 0 };

        if (s->error)
                return s->error;
        if (!slot)
                return SERVER_NO_SUCH_SLOT;
        if (slot->phase != PHASE_FAILED)
                return asprintf(ret_why, "is running: expected espdfuctl cancel first") < 0
                               ? -ENOMEM
                               : SERVER_NOT_FLASHED;
        if (given && fstat(given->fd, &st) < 0)
                return -errno;
        s->given_size = st.st_size;
        snprintf(s->ordered, sizeof(s->ordered), "flash %s by %s with %s, %s signature", slot->slot, who,
                 given ? given->path : "-", given && given->signature ? "a" : "no");
        *ret_order = ++s->n_retries;
        return 0;
}

const struct server_ops fake_station_ops = {
        .status = fake_status,
        .header = fake_header,
        .slot = fake_slot,
        .counters = fake_counters,
        .explain = fake_explain,
        .slot_called = fake_slot_called,
        .path_of = fake_path_of,
        .history = fake_history,
        .stats = fake_stats,
        .consumers = fake_consumers,
        .consumer = fake_consumer,
        .consumer_is_of = fake_consumer_is_of,
        .forget = fake_forget,
        .reload = fake_reload,
        .cancel = fake_cancel,
        .hold = fake_hold,
        .release = fake_release,
        .retry = fake_retry,
        .flash = fake_flash,
};

static const struct station_status line3_header = {
        .name = TEXT("line3-a"),
        .version = TEXT("0.1.0"),
        .uptime_usec = 98 * 60 * MINUTE, /* 4 d 2 h */
        .flashed_today = 1284,
        .failed_today = 4,
        .first_pass_today = 1274,
        .flashed_last_hour = 96,
        .running = 2,
        .failed = 1,
};

static const struct slot_status line3_slots[] = {
        { .slot = TEXT("A1"),
          .port = TEXT("1-4.1"),
          .chip = TEXT("esp32s2"),
          .policy = TEXT("gizmo"),
          .image_name = TEXT("gizmo"),
          .image_version = TEXT("1.4.2"),
          .phase = PHASE_DOWNLOADING,
          .bytes_done = 136315,
          .bytes_total = 262144,
          .rate = 61000,
          .left_usec = 2100 * USEC_PER_MSEC,
          .attempt = 1,
          .attempts_max = 3,
          .last_verdict = VERDICT_FLASHED },
        { .slot = TEXT("A2"),
          .port = TEXT("1-4.2"),
          .chip = TEXT("esp32s3"),
          .mac = TEXT("7c:df:a1:0b:00:12"),
          .policy = TEXT("probe"),
          .image_name = TEXT("probe"),
          .image_version = TEXT("2.0.0"),
          .phase = PHASE_VERIFYING,
          .bytes_done = 65536,
          .bytes_total = 65536,
          .left_usec = 400 * USEC_PER_MSEC,
          .attempt = 1,
          .attempts_max = 3,
          .last_verdict = VERDICT_FLASHED },
        { .slot = TEXT("A3"),
          .port = TEXT("1-4.3"),
          .phase = PHASE_EMPTY,
          .left_usec = USEC_INFINITY,
          .last_verdict = VERDICT_FLASHED },
        { .slot = TEXT("A4"),
          .port = TEXT("1-4.4"),
          .chip = TEXT("esp32s2"),
          .policy = TEXT("gizmo"),
          .image_name = TEXT("gizmo"),
          .image_version = TEXT("1.4.2"),
          .phase = PHASE_FAILED,
          .bytes_done = 28836,
          .bytes_total = 262144,
          .left_usec = USEC_INFINITY,
          .attempt = 3,
          .attempts_max = 3,
          .last_verdict = VERDICT_BOARD_LEFT,
          .last_message = TEXT("board left at 24 kB") },
        { .slot = TEXT("A5"),
          .port = TEXT("1-4.5"),
          .chip = TEXT("esp32p4"),
          .mac = TEXT("7c:df:a1:0b:00:40"),
          .phase = PHASE_NO_POLICY,
          .left_usec = USEC_INFINITY },
};

void fake_station_line3(struct fake_station *s, uint64_t base_usec)
{
        *s = (struct fake_station){ .header = line3_header,
                                    .n_slots = ARRAY_SIZE(line3_slots),
                                    .n_attempts = 120,
                                    .reload = { .slots = 5, .policies = 2 } };
        memcpy(s->slots, line3_slots, sizeof(line3_slots));
        s->slots[0].last_realtime_usec = base_usec;
        s->slots[1].last_realtime_usec = base_usec;
        s->slots[2].last_realtime_usec = base_usec - MINUTE;
        s->slots[3].last_realtime_usec = base_usec - MINUTE;
        s->policies[0] = (struct policy_status){ .name = TEXT("gizmo"),
                                                 .image = TEXT("/srv/gizmo.bin"),
                                                 .image_name = TEXT("gizmo"),
                                                 .image_version = TEXT("1.4.2") };
        s->policies[1] = (struct policy_status){ .name = TEXT("probe"),
                                                 .image = TEXT("/srv/probe.bin"),
                                                 .image_name = TEXT("probe"),
                                                 .image_version = TEXT("2.0.0") };
        s->n_policies = 2;
}

void fake_station_many(struct fake_station *s, size_t n)
{
        static char names[FAKE_SLOTS_MAX][8];

        fake_station_line3(s, UINT64_C(1700000000) * USEC_PER_SEC);
        s->n_slots = n;
        for (size_t i = 0; i < n; i++) {
                snprintf(names[i], sizeof(names[i]), "S%03zu", i % 1000);
                s->slots[i] = line3_slots[0];
                s->slots[i].slot = names[i];
        }
}
