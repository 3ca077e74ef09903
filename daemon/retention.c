/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/retention.h"

#include <inttypes.h>

#include "daemon/clock.h"
#include "daemon/log.h"
#include "daemon/message-ids.h"

#define FIRST_USEC (5 * USEC_PER_SEC)   /* after the start, when boards wait to be begun */
#define LOOK_USEC  (60 * USEC_PER_SEC)  /* from one look to the next */
#define NEXT_USEC  (50 * USEC_PER_MSEC) /* from one group to the next: verdicts come between */

struct retention {
        struct ledger *ledger;
        const struct config *const *config;
        sd_event_source *timer;
        uint64_t removed; /* since the journal was told */
        int64_t first, last;
        bool kept_told;
};

static void tell(struct retention *retention)
{
        if (retention->removed > 0)
                log_slot(LOG_NOTICE, NULL, NULL, MESSAGE_ROWS_REMOVED,
                         "ledger: removed the %" PRIu64 " oldest attempts, numbers %" PRId64 " to %" PRId64
                         ", as ledger-keep and ledger-rows-max say",
                         retention->removed, retention->first, retention->last);
        retention->removed = 0;
}

/* Once, until they were had: somebody who was registered and is gone for good would keep them for ever. */
static void tell_kept(struct retention *retention, uint64_t n)
{
        if (n > 0 && !retention->kept_told)
                log_slot(LOG_WARNING, NULL, NULL, MESSAGE_ROWS_KEPT,
                         "ledger: %" PRIu64
                         " attempts that should be removed are kept for a consumer that has not "
                         "had them (espdfuctl consumer list)",
                         n);
        retention->kept_told = n > 0;
}

static void again(struct retention *retention, uint64_t usec)
{
        sd_event_source_set_time_relative(retention->timer, usec);
        sd_event_source_set_enabled(retention->timer, SD_EVENT_ONESHOT);
}

static void on_removed(void *userdata, int r, const struct ledger_removed *removed)
{
        struct retention *retention = userdata;

        if (r == 0 && removed->n > 0) {
                if (retention->removed == 0)
                        retention->first = removed->first;
                retention->removed += removed->n;
                retention->last = removed->last;
        }
        if (r == 0 && removed->more) {
                again(retention, NEXT_USEC);
                return;
        }
        tell(retention); /* also when it cannot go on: the ledger itself says why */
        if (r == 0)
                tell_kept(retention, removed->kept_for_consumers);
        again(retention, LOOK_USEC);
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct retention *retention = userdata;
        const struct config *config = *retention->config;
        struct ledger_limits limits = { .rows_max = config->ledger_rows_max,
                                        .now_realtime_usec = clock_realtime_usec() };

        (void)source, (void)usec;
        if (config->ledger_keep_usec > 0 && config->ledger_keep_usec < limits.now_realtime_usec &&
            clock_is_synchronized())
                limits.before_realtime_usec = limits.now_realtime_usec - config->ledger_keep_usec;
        if ((limits.before_realtime_usec == 0 && limits.rows_max == 0) || ledger_trouble(retention->ledger) ||
            ledger_retain(retention->ledger, &limits, on_removed, retention) < 0)
                again(retention, LOOK_USEC);
        return 0;
}

int retention_new(sd_event *event, struct ledger *ledger, const struct config *const *config,
                  struct retention **ret)
{
        _cleanup_(retention_freep) struct retention *retention = calloc(1, sizeof(*retention));
        int r;

        if (!retention)
                return -ENOMEM;
        retention->ledger = ledger;
        retention->config = config;
        r = sd_event_add_time_relative(event, &retention->timer, CLOCK_BOOTTIME, FIRST_USEC, USEC_PER_SEC,
                                       on_time, retention);
        if (r < 0)
                return r;
        *ret = take_ptr(retention);
        return 0;
}

struct retention *retention_free(struct retention *retention)
{
        if (!retention)
                return NULL;
        tell(retention);
        ledger_forget(retention->ledger, retention);
        sd_event_source_disable_unref(retention->timer);
        free(retention);
        return NULL;
}
