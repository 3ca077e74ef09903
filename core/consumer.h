/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who copies the ledger elsewhere, and how far it is. */
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
};
void consumers_free(struct consumer_status *consumers, size_t n);
