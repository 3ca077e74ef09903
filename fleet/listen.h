/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfu-fleet's ear: a connection to the broker that takes what it keeps of the fleet, or of one station, into a view. */
#pragma once

#include <signal.h>

#include "fleet/broker.h"
#include "fleet/view.h"

struct listener {
        struct view view;
        /* For each message that changed something; may be NULL. station: NULL when it is no more. */
        void (*heard)(void *userdata, const struct topic *topic, const struct view_station *station,
                      const struct broker_message *message);
        void *userdata;

        struct broker *broker;
        const char *station;    /* this one alone, with its slots; NULL: all, without theirs */
        unsigned subscribed;    /* filters that were answered */
        uint64_t retained_usec; /* when the last came that the broker had kept */
        uint64_t now_usec;
};

/* settings are borrowed. 0 or -ENOMEM. */
int listener_open(struct listener *listener, const struct broker_settings *settings, const char *station);
void listener_close(struct listener *listener);

/* When the broker has told all that it keeps, if nothing else comes until then; USEC_INFINITY: it has not answered yet. */
uint64_t listener_told_usec(const struct listener *listener);
/* Until the broker has told all that it keeps: 0; -ETIMEDOUT; -EIO: there is no connection, or it refuses, and it was said why. */
int listener_hear_all(struct listener *listener);
/* Waits until deadline_usec at most, for the broker and for fd (-1: none), open for the signals of mask. 0; -EINTR. */
int listener_turn(struct listener *listener, int fd, uint64_t deadline_usec, const sigset_t *mask);
