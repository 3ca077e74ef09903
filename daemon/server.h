/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon's socket: io.espdfu.Station1 by varlink. Everybody may look; what acts is for root, the group and the
 * daemon's own user. The server knows nothing of boards: it asks its ops, and is told when something changed.
 *
 * A peer has quotas on everything: bytes in a request and its time, bytes that wait for it, connections (core/admission.h).
 * It is answered one call at a time, in order, and the next call is taken when it has read the answer, so nothing that it
 * does makes the daemon hoard memory or keeps the loop from the boards (all sources run at SERVER_PRIORITY, after everything else that is due).
 */
#pragma once

#include <sys/types.h>
#include <systemd/sd-event.h>

#include "core/admission.h"
#include "core/consumer.h"
#include "core/counters.h"
#include "core/history.h"
#include "core/stats.h"

#define SERVER_PRIORITY      (SD_EVENT_PRIORITY_NORMAL + 10)
#define SERVER_UNSENT_MAX    (256 * KIB) /* bytes that may wait behind the reply that a peer is reading */
#define SERVER_CALL_USEC     (30 * USEC_PER_SEC) /* from a call's first byte to its last */
#define SERVER_PROGRESS_USEC (100 * USEC_PER_MSEC)

/* Positive results of the ops below. */
enum {
        SERVER_NO_SUCH_SLOT = 1,
        SERVER_NOTHING_RUNNING,
        SERVER_NOT_RELEASED,
        SERVER_NOT_RETRIED,
        SERVER_NOT_FLASHED,
};

struct given_image; /* daemon/given.h */

/*
 * What the station answers. All are called in the event loop and return at once; a negative errno becomes the error
 * Failed. They fill *ret, which the server releases. None may free the server.
 */
struct server_ops {
        /* The whole station: header, every slot, every policy. */
        int (*status)(void *userdata, struct station_status *ret);
        /* The header alone. */
        int (*header)(void *userdata, struct station_status *ret);
        /* What has grown since the start, from memory. */
        int (*counters)(void *userdata, struct station_counters *ret);
        /* One slot, by name. 1: there is none. */
        int (*slot)(void *userdata, const char *name, struct slot_status *ret);
        /* where: a slot's name, its port path or its ID_PATH; NULL: all, without the policies' answers. 1: there is none. */
        int (*explain)(void *userdata, const char *where, struct explanation **ret, size_t *ret_n);
        /* The name of the slot that has this name, port path or ID_PATH now; NULL: there is none. Borrowed. */
        const char *(*slot_called)(void *userdata, const char *where);
        /* The ID_PATH of the port that has this port path or ID_PATH; NULL: it is not known, or where is a name. Borrowed. */
        const char *(*path_of)(void *userdata, const char *where);
        /* As ledger_history(), ledger_stats(), ledger_consumers() and ledger_consumer(); done is called later, or before they
         * return, unless peer is forgotten before. */
        int (*history)(void *userdata, const struct history_filter *filter, const struct history_at *at,
                       unsigned limit, history_page_t done, void *peer);
        int (*stats)(void *userdata, const struct history_filter *filter,
                     void (*done)(void *peer, int r, struct station_stats *stats), void *peer);
        int (*consumers)(void *userdata,
                         void (*done)(void *peer, int r, const struct consumer_status *consumers, size_t n),
                         void *peer);
        /* user: of CONSUMER_REGISTER, a uid; USEC_INFINITY: none is told. */
        int (*consumer)(void *userdata, enum consumer_action action, const char *name, int64_t sequence,
                        uint64_t user, void (*done)(void *peer, int r, int64_t id, int64_t sequence),
                        void *peer);
        /* Whether this uid may acknowledge in the consumer's name. */
        bool (*consumer_is_of)(void *userdata, const char *name, uid_t uid);
        void (*forget)(void *userdata, void *peer);
        /* 0 also when the configuration is refused: then ret has errors. */
        int (*reload)(void *userdata, struct reload_result *ret);
        /* What a person orders; where as in explain, who: the person's name, or uid. What they return is to be freed. */
        /* 0 with the ID_PATH or port path, which stays if a reload gives the slot another name: slot_called and the slot op
         * show when it rests; SERVER_NO_SUCH_SLOT; SERVER_NOTHING_RUNNING. */
        int (*cancel)(void *userdata, const char *where, const char *who, char **ret_place);
        /* where NULL: the whole station; reason: one printable line of at most HOLD_REASON_MAX bytes, or NULL. 0 with the
         * text that is shown; SERVER_NO_SUCH_SLOT. */
        int (*hold)(void *userdata, const char *where, const char *who, const char *reason, char **ret_text);
        /* 0; SERVER_NO_SUCH_SLOT; SERVER_NOT_RELEASED with the reason. */
        int (*release)(void *userdata, const char *where, const char *who, bool *ret_was_held,
                       char **ret_why);
        /* 0 with a number (not 0) by which server_begun() tells what came of it, later; SERVER_NO_SUCH_SLOT;
         * SERVER_NOT_RETRIED with the reason. */
        int (*retry)(void *userdata, const char *where, const char *who, uint64_t *ret_order, char **ret_why);
        /* As retry, with SERVER_NOT_FLASHED. given: the image, which is borrowed; NULL: that of the board's policy. */
        int (*flash)(void *userdata, const char *where, const char *who, const struct given_image *given,
                     uint64_t *ret_order, char **ret_why);
};

struct server_peer {
        uid_t uid;
        pid_t pid;
        bool may_act;
};

struct server_options {
        const char *path; /* bind here (a dead socket in the way is replaced, a live one is an error) … */
        int fd; /* … unless this is a socket that listens already, which the server takes over; else -1 */
        const char *group; /* its members may act; looked up once; NULL, or not existing: nobody by group */
        /* Who is at the other end; NULL: ask the kernel. For tests. */
        int (*peer)(int fd, gid_t group, struct server_peer *ret);
        uint64_t call_usec; /* instead of SERVER_CALL_USEC; 0: that. For tests. */
};

struct server;

/* options and ops are borrowed until server_free(). Logs why it fails; -EADDRINUSE: a live daemon is on path. fd stays the
 * caller's on failure. */
int server_new(sd_event *event, const struct server_options *options, const struct server_ops *ops,
               void *userdata, struct server **ret);
/* Disconnects everybody, and removes the socket if it was bound here. */
struct server *server_free(struct server *server);
DEFINE_CLEANUP(struct server, server_free)

/*
 * A slot is not as it was; who watches is told. With phase_changed (also for a new slot and for one that is no more, for
 * which the slot op says 1) at once: the ops header and slot are called before this returns. Without, within
 * SERVER_PROGRESS_USEC, together with others. Costs nothing when nobody watches.
 */
void server_slot_changed(struct server *server, const char *slot, bool phase_changed);
/* Everything may be different (a reload): who watches gets the whole station again. */
void server_changed(struct server *server);

/* The order with this number has begun (0), or could not, and why (text; NULL: r says it). slot: as it is called now. */
void server_begun(struct server *server, uint64_t order, const char *slot, int r, const char *text);

/* For tests and the log. */
size_t server_n_connections(const struct server *server);
