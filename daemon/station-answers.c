/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the socket is told. */
#include "daemon/station-internal.h"

#include "daemon/notify.h"
#include "daemon/station-name.h"

static void add_counts(const struct station *station, struct station_status *ret)
{
        struct ledger_counts counts;

        ledger_counts(station->world.ledger, clock_realtime_usec(), &counts);
        ret->flashed_today = counts.flashed_today;
        ret->failed_today = counts.failed_today;
        ret->first_pass_today = counts.first_pass_today;
        ret->flashed_last_hour = counts.flashed_last_hour;
        for (size_t i = 0; i < station->n_slots; i++) {
                enum phase phase = slot_phase(station->slots[i]);

                ret->running += phase_is_running(phase);
                ret->waiting += phase == PHASE_QUEUED;
                ret->failed += phase == PHASE_FAILED;
        }
}

static int on_header(void *userdata, struct station_status *ret)
{
        struct station *station = userdata;
        char host[STATION_NAME_SIZE], lagging[CONSUMER_LAG_TEXT];
        int r = free_and_strdup(&ret->name, station_name(station->config, host));

        if (r == 0)
                r = free_and_strdup(&ret->version, PACKAGE_VERSION);
        if (r == 0)
                r = free_and_strdup(&ret->config_error, station->config_error);
        if (r == 0)
                r = free_and_strdup(&ret->ledger_trouble, ledger_trouble(station->world.ledger));
        if (r == 0)
                r = free_and_strdup(&ret->held, station->holds.station);
        if (r == 0)
                r = free_and_strdup(&ret->id, ledger_identity(station->world.ledger)->id);
        if (r == 0 && ledger_consumer_lags(station->world.ledger, clock_realtime_usec(), lagging))
                r = free_and_strdup(&ret->lagging, lagging);
        ret->id_since = ledger_identity(station->world.ledger)->since;
        ret->uptime_usec = clock_boottime_usec() - station->started_usec;
        add_counts(station, ret);
        return r;
}

void station_tell_systemd(struct station *station)
{
        struct station_status header = { 0 };

        if (on_header(station, &header) == 0)
                notify_counts(&header, station->world.stopping);
        station_status_done(&header);
}

static int copy_policy(const struct policy_status *from, struct policy_status *to)
{
        int r = free_and_strdup(&to->name, from->name);

        if (r == 0)
                r = free_and_strdup(&to->image, from->image);
        if (r == 0)
                r = free_and_strdup(&to->sha256, from->sha256);
        if (r == 0)
                r = free_and_strdup(&to->image_name, from->image_name);
        if (r == 0)
                r = free_and_strdup(&to->image_version, from->image_version);
        if (r == 0)
                r = free_and_strdup(&to->unusable, from->unusable);
        return r;
}

static int add_slots(const struct station *station, struct station_status *ret)
{
        ret->slots = calloc(station->n_slots + 1, sizeof(*ret->slots));
        if (!ret->slots)
                return -ENOMEM;
        for (size_t i = 0; i < station->n_slots; i++) {
                int r = slot_status(station->slots[i], &ret->slots[i]);

                if (r < 0)
                        return r;
                ret->n_slots++;
        }
        return 0;
}

static int add_policies(const struct station *station, struct station_status *ret)
{
        ret->policies = calloc(station->n_policies + 1, sizeof(*ret->policies));
        if (!ret->policies)
                return -ENOMEM;
        for (size_t i = 0; i < station->n_policies; i++) {
                ret->n_policies++;
                int r = copy_policy(&station->policies[i], &ret->policies[i]);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int on_status(void *userdata, struct station_status *ret)
{
        int r = on_header(userdata, ret);

        if (r == 0)
                r = add_slots(userdata, ret);
        if (r == 0)
                r = add_policies(userdata, ret);
        return r;
}

static int on_slot(void *userdata, const char *name, struct slot_status *ret)
{
        struct station *station = userdata;

        for (size_t i = 0; i < station->n_slots; i++)
                if (streq(slot_name(station->slots[i]), name))
                        return slot_status(station->slots[i], ret);
        return 1;
}

struct slot *station_find_slot(const struct station *station, const char *where)
{
        for (size_t i = 0; i < station->n_slots; i++)
                if (streq(slot_name(station->slots[i]), where))
                        return station->slots[i];
        for (size_t i = 0; i < station->n_slots; i++)
                if (slot_is_at(station->slots[i], where, NULL) || slot_is_at(station->slots[i], NULL, where))
                        return station->slots[i];
        return NULL;
}

/* Of a board that no slot was left for. */
static int explain_left_alone(const char *port, struct explanation **ret, size_t *ret_n)
{
        struct explanation *one = calloc(1, sizeof(*one));
        int r;

        if (!one)
                return -ENOMEM;
        one->present = true;
        one->phase = PHASE_FAILED;
        r = free_and_strdup(&one->slot, port);
        if (r == 0)
                r = free_and_strdup(&one->port, port);
        if (r == 0)
                r = free_and_strdup(&one->message, "left alone: " STATION_LEFT_ALONE);
        if (r < 0) {
                explanation_done(one);
                free(one);
                return r;
        }
        *ret = one;
        *ret_n = 1;
        return 0;
}

static int on_explain(void *userdata, const char *where, struct explanation **ret, size_t *ret_n)
{
        struct station *station = userdata;
        const struct slot *only = where ? station_find_slot(station, where) : NULL;
        struct explanation *list;
        size_t n = 0;
        int r = 0;

        if (where && !only)
                return station_leaves_alone(station, where) ? explain_left_alone(where, ret, ret_n)
                                                            : SERVER_NO_SUCH_SLOT;
        list = calloc(station->n_slots + 1, sizeof(*list));
        if (!list)
                return -ENOMEM;
        for (size_t i = 0; i < station->n_slots && r == 0; i++)
                if (!only || station->slots[i] == only) {
                        r = slot_explain(station->slots[i], only, &list[n]);
                        n += r == 0;
                }
        if (r != 0) {
                while (n > 0)
                        explanation_done(&list[--n]);
                free(list);
                return r;
        }
        *ret = list;
        *ret_n = n;
        return 0;
}

static const char *on_slot_called(void *userdata, const char *where)
{
        const struct slot *slot = station_find_slot(userdata, where);

        return slot ? slot_name(slot) : NULL;
}

static const char *on_path_of(void *userdata, const char *where)
{
        const struct slot *slot = station_find_slot(userdata, where);

        return slot && slot_is_at(slot, where, where) ? slot_path(slot) : NULL;
}

static int on_history(void *userdata, const struct history_filter *filter, const struct history_at *at,
                      unsigned limit, history_page_t done, void *peer)
{
        struct station *station = userdata;

        return ledger_history(station->world.ledger, filter, at, limit, done, peer);
}

static int on_stats(void *userdata, const struct history_filter *filter, ledger_stats_t done, void *peer)
{
        struct station *station = userdata;

        return ledger_stats(station->world.ledger, filter, done, peer);
}

static int on_counters(void *userdata, struct station_counters *ret)
{
        struct station *station = userdata;
        int r = counters_copy(ledger_counters(station->world.ledger), ret);

        if (r < 0)
                return r;
        ret->since_realtime_usec = station->started_realtime_usec;
        ret->attempts_recorded = (uint64_t)ledger_last_sequence(station->world.ledger);
        return 0;
}

static int on_consumers(void *userdata, ledger_consumers_t done, void *peer)
{
        struct station *station = userdata;

        return ledger_consumers(station->world.ledger, done, peer);
}

static int on_consumer(void *userdata, enum consumer_action action, const char *name, int64_t sequence,
                       uint64_t user, ledger_done_t done, void *peer)
{
        struct station *station = userdata;

        return ledger_consumer(station->world.ledger, action, name, sequence, clock_realtime_usec(), user,
                               done, peer);
}

static bool on_consumer_is_of(void *userdata, const char *name, uid_t uid)
{
        struct station *station = userdata;

        return ledger_consumer_is_of(station->world.ledger, name, uid);
}

static void on_forget(void *userdata, void *peer)
{
        struct station *station = userdata;

        ledger_forget(station->world.ledger, peer);
}

static int on_reload(void *userdata, struct reload_result *ret)
{
        return station_load_config(userdata, ret);
}

int station_open_server(struct station *station, const struct station_options *options)
{
        static const struct server_ops ops = {
                .status = on_status,
                .header = on_header,
                .counters = on_counters,
                .slot = on_slot,
                .explain = on_explain,
                .slot_called = on_slot_called,
                .path_of = on_path_of,
                .history = on_history,
                .stats = on_stats,
                .consumers = on_consumers,
                .consumer = on_consumer,
                .consumer_is_of = on_consumer_is_of,
                .forget = on_forget,
                .reload = on_reload,
                .cancel = station_cancel,
                .hold = station_hold,
                .release = station_release,
                .retry = station_retry,
                .flash = station_flash,
        };

        station->server_options = (struct server_options){
                .path = options->socket_path,
                .fd = options->socket_fd,
                .group = options->group,
        };
        return server_new(station->world.event, &station->server_options, &ops, station, &station->server);
}
