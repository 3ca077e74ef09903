/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The central store: a PostgreSQL database with the schema of schema-1.sql. The connection comes back by itself and is waited
 * for as the broker's (broker.h); nothing here waits, but for looking up a host's name.
 *
 * Once connected, the schema is made, or brought up to date, where it is not; a newer one is refused. What the store is given
 * is one statement, and so one transaction: it is there for good when taken() is called, or it is not there.
 */
#pragma once

#include <jansson.h>
#include <poll.h>

#include "core/util.h"

#define STORE_SCHEMA 1 /* the version that this program knows */

struct store;

/* Called from within store_step() alone. */
struct store_events {
        /* Connected, and the schema is right. */
        void (*ready)(void *userdata);
        /* It is no more. What was given and not taken is to be given again. */
        void (*away)(void *userdata);
        /* What was given is committed; reply is that of espdfu.take(), borrowed. */
        void (*taken)(void *userdata, const json_t *reply);
        /* What was given was refused as a whole and is to be given again, or less of it: there may have been too much. It is
         * ready for that after the same wait as for a connection: ready() is called again. */
        void (*refused)(void *userdata);
};

/* connection: as libpq has it, "host=db.example dbname=espdfu user=espdfu-collect"; borrowed. retry_max_sec 0: it is not tried
 * again. */
int store_new(const char *connection, unsigned retry_max_sec, const struct store_events *events,
              void *userdata, struct store **ret);
struct store *store_free(struct store *store);
DEFINE_CLEANUP(struct store, store_free)

/* As broker_wait() and broker_step(). */
uint64_t store_wait(const struct store *store, struct pollfd *ret);
void store_step(struct store *store, short revents, uint64_t now_usec);

bool store_is_ready(const struct store *store);
/* Why it is not, as it was said; "" where there is nothing to tell. */
const char *store_trouble(const struct store *store);

/* JSON arrays, see espdfu.take(); copied. Only while it is ready. 0 or a negative errno, and then nothing was given. */
int store_take(struct store *store, const char *messages, const char *letters, uint64_t now_usec);

/* Asks for all stations, in a reply as that of espdfu.take(): of each name the one that was seen last. Otherwise the same. */
int store_survey(struct store *store, uint64_t now_usec);

/* What makes a schema, or brings it up to date, in one transaction; to be freed. NULL: out of memory. */
char *store_schema_sql(void);
