/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parts of the bridge share. Not for use outside fleet/bridge*. */
#pragma once

#include <jansson.h>

#include "fleet/bridge.h"
#include "fleet/broker.h"
#include "fleet/delivery.h"
#include "fleet/feed.h"
#include "fleet/service.h"
#include "fleet/slots.h"
#include "fleet/topics.h"
#include "fleet/trouble.h"

struct bridge {
        const struct settings *settings;
        struct service service;
        struct feed *feed;
        struct broker *broker; /* NULL until the station's name is known */
        uint64_t now_usec;     /* of this turn */

        /* the station */
        char name[TOPIC_NAME_MAX + 1];
        char client_id[TOPIC_NAME_MAX + 16];
        char id[STATION_ID_SIZE]; /* "": it is not heard, or tells none */
        int64_t id_since;
        char *version;                   /* of espdfud, the last that was heard */
        char why_away[TROUBLE_TEXT_MAX]; /* "": the station is heard */
        uint64_t changed_realtime_usec;  /* when it came, or went */

        /* bridge-state.c */
        struct slots *slots;
        json_t *header;        /* of the last Status, without what changes by itself */
        bool header_waits;     /* to be published */
        uint64_t header_usec;  /* when it was */
        uint64_t backlog_told; /* with it */
        bool online_waits;
        struct trouble slots_trouble;
        int64_t last_realtime_usec; /* of the last attempt that a slot has shown */

        /* bridge-records.c */
        struct delivery delivery;
        char *cursor_path;
        struct delivered on_disk; /* what the cursor's file has */
        uint64_t cursor_usec;     /* when it may be written again */
        struct delivered heard;   /* what the collector said last, for a station that is not heard yet */
        uint64_t
                word_usec; /* until then the broker may have something of the collector's; USEC_INFINITY: it was
                               not asked yet */
        bool identified;   /* the delivery knows the ledger that is heard */
        int64_t acknowledged;      /* at the station */
        uint64_t acknowledge_usec; /* when it may be tried again */
        uint64_t extent_usec;      /* when the station's last number is to be asked for */
        struct trouble cursor_trouble, acknowledge_trouble, ledger_trouble, delivered_trouble;
};

/* ---- bridge-state.c ---- */

/* Of feed_events. */
int bridge_take_status(struct bridge *b, const json_t *parameters, bool first);
/* A message under …/slot/: of a slot that is no more, from an earlier life. */
void bridge_take_retained_slot(struct bridge *b, const struct topic *topic);
/* The last will, as of now. */
int bridge_set_will(struct bridge *b);
/* What is due; all of it is again after bridge_state_forgotten(). When the next is due. */
uint64_t bridge_publish_state(struct bridge *b);
void bridge_state_forgotten(struct bridge *b);
/* Online or not, now. */
void bridge_publish_online(struct bridge *b, const char *why_away);
/* Under the name that it had, nothing is retained any more. */
void bridge_unpublish_state(struct bridge *b);

/* ---- bridge-records.c ---- */

int bridge_records_start(struct bridge *b, const char *state_dir);
/* The station is heard, perhaps with more records than before. */
void bridge_records_look(struct bridge *b);
void bridge_records_away(struct bridge *b);
/* The broker has answered to a subscription: what it retains comes now. */
void bridge_records_subscribed(struct bridge *b);
void bridge_take_delivered(struct bridge *b, const struct broker_message *message);
/* What is to be asked of the station, written to disk, sent again. When it is to be called at the latest. */
uint64_t bridge_records_step(struct bridge *b);
/* The cursor as it is, to disk. */
void bridge_records_end(struct bridge *b);
