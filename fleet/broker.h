/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A connection to the broker that comes back by itself: libmosquitto (MQTT 5, TLS) without its threads and without its queues
 * that outlive a connection. The owner's main loop waits for what broker_wait() says and calls broker_step().
 *
 * Nothing is kept over the end of a connection: what was not acknowledged by then is the owner's to send again. Why there is
 * none is said in one line, once, until it is another reason; then it is tried again, ever less often, with some chance in it.
 * The files that the settings name are read anew each time.
 */
#pragma once

#include <poll.h>

#include "fleet/settings.h"

struct broker;

struct broker_message {
        const char *topic;
        const void *payload; /* size bytes, and a NUL behind them */
        size_t size;
        bool retained; /* it was there before we subscribed */
};

/* Called from within broker_step() alone; all may publish and subscribe. NULL: of no interest. */
struct broker_events {
        /* A connection is made: nothing is subscribed yet. */
        void (*up)(void *userdata);
        /* It is gone: what was not acknowledged may be lost. Not called for one that never was up. */
        void (*down)(void *userdata);
        void (*message)(void *userdata, const struct broker_message *message);
        /* What was published with this number and QoS 1 is with the broker; it may lose it all the same. A broker that
         * refuses it says why: it is said in a line, and refused is true. */
        void (*acknowledged)(void *userdata, int number, bool refused);
        /* The broker has answered to one more subscription, in their order. */
        void (*subscribed)(void *userdata);
};

/* settings are borrowed. client_id: another client with the same one is thrown out by the broker. */
int broker_new(const struct broker_settings *settings, const char *client_id,
               const struct broker_events *events, void *userdata, struct broker **ret);
/* Without farewell: the broker publishes the will. */
struct broker *broker_free(struct broker *broker);
DEFINE_CLEANUP(struct broker, broker_free)

/* The last will of the next connection, retained, QoS 1; before the first broker_step(), or from down(). */
int broker_set_will(struct broker *broker, const char *topic, const void *payload, size_t size);

/* The client id is a random one: that a connection is lost is for no other client of the same name. */
void broker_is_unique(struct broker *broker);

/* What to wait for; fd -1: nothing. The time (of monotonic_usec()) at which broker_step() is to be called anyway. */
uint64_t broker_wait(const struct broker *broker, struct pollfd *ret);
/* To be called when there is something, and when the time has come; at other times it does no harm. The first call connects.
 * Looking up the host's name may take as long as the system's resolver does. */
void broker_step(struct broker *broker, short revents, uint64_t now_usec);

bool broker_is_up(const struct broker *broker);
/* Whether the broker has refused a subscription, or what we published, of this connection. */
bool broker_is_refused(const struct broker *broker);
/* Why there is no connection, as it was said; "" while there is none to tell of. */
const char *broker_trouble(const struct broker *broker);
/* "mqtt.example:8883" */
const char *broker_name(const struct broker *broker);

/* Whether the connection has not taken yet what was given to it: who publishes on fills the memory. */
bool broker_is_choked(const struct broker *broker);
/* qos 0 or 1; ret_number (may be NULL): for acknowledged(). 0, -ENOTCONN, -EINVAL (a topic, or a size, that cannot be), -ENOMEM. */
int broker_publish(struct broker *broker, const char *topic, const void *payload, size_t size, int qos,
                   bool retain, int *ret_number);
/* qos 1. A filter that the broker refuses is said in a line. What it retains comes first. */
int broker_subscribe(struct broker *broker, const char *filter);
/* The same without what we publish ourselves. Not for what is shared ("$share/…"). */
int broker_subscribe_to_others(struct broker *broker, const char *filter);
int broker_unsubscribe(struct broker *broker, const char *filter);

/* Says farewell, so that the will is not published, and gives what waits until the time to be sent. Not from an event. */
void broker_leave(struct broker *broker, uint64_t timeout_usec);
