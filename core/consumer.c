/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/consumer.h"

#include <inttypes.h>
#include <stdio.h>

void consumers_free(struct consumer_status *consumers, size_t n)
{
        for (size_t i = 0; i < n; i++)
                free(consumers[i].consumer);
        free(consumers);
}

bool consumer_lags(uint64_t behind, uint64_t since_usec, uint64_t now_usec)
{
        return behind > CONSUMER_LAG_ROWS ||
               (behind > 0 && now_usec > since_usec && now_usec - since_usec > CONSUMER_LAG_USEC);
}

void consumer_lag_print(const char *name, uint64_t behind, uint64_t since_usec, uint64_t now_usec,
                        char ret[static CONSUMER_LAG_TEXT])
{
        uint64_t hours = (now_usec > since_usec ? now_usec - since_usec : 0) / (3600 * USEC_PER_SEC);

        snprintf(ret, CONSUMER_LAG_TEXT,
                 "consumer %s is %" PRIu64 " attempt%s behind, and has had none for %" PRIu64 " %s", name,
                 behind, behind == 1 ? "" : "s", hours >= 72 ? hours / 24 : hours,
                 hours >= 72 ? "days" : "h");
}
