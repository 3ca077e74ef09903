/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who copies the ledger elsewhere, how far it is, and when that is too far behind. */
#pragma once

#include "core/util.h"

#define LEDGER_CONSUMERS_MAX 32
#define CONSUMER_NAME_MAX    64 /* bytes: letters, digits and . _ + : @ -, as a station's name */

enum consumer_action { CONSUMER_REGISTER, CONSUMER_ACKNOWLEDGE, CONSUMER_UNREGISTER };

struct consumer_status {
        char *consumer;              /* name */
        int64_t sequence;            /* of the last row that it has had; 0: none */
        uint64_t behind;             /* rows that it has not had */
        uint64_t seen_realtime_usec; /* when it said so */
        uint64_t user; /* uid of who may acknowledge in its name; USEC_INFINITY: nobody besides */
};
void consumers_free(struct consumer_status *consumers, size_t n);

/* A consumer lags that is further behind than so many rows, or that has had none for so long though there were some. */
#define CONSUMER_LAG_ROWS UINT64_C(10000)
#define CONSUMER_LAG_USEC (24 * 3600 * USEC_PER_SEC)
#define CONSUMER_LAG_TEXT 192

/* since_usec: since when there is a row that it has not had, and it had none; of the same clock as now_usec. */
bool consumer_lags(uint64_t behind, uint64_t since_usec, uint64_t now_usec);
/* "consumer mqtt is 12345 attempts behind, and has had none for 26 h". */
void consumer_lag_print(const char *name, uint64_t behind, uint64_t since_usec, uint64_t now_usec,
                        char ret[static CONSUMER_LAG_TEXT]);
