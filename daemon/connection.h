/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside the server: one peer, its bytes in both directions, and the call that is being answered.
 *
 * A connection is never freed where it is used: connection_doom() stops it, and the server's reaper frees it from the
 * event loop.
 */
#pragma once

#include "core/history.h"
#include "core/varlink.h"
#include "daemon/passed.h"
#include "daemon/server.h"

/* What goes on after a reply that says "continues". */
enum stream {
        STREAM_NONE,
        STREAM_WATCH,   /* Status: whenever something changed */
        STREAM_HISTORY, /* History: whenever the peer has taken a page */
        STREAM_CANCEL,  /* Cancel: one reply, when the slot rests */
        STREAM_BEGIN,   /* Retry, Flash: one reply, when it has begun */
        STREAM_ANSWER,  /* one reply, when the record was read or written */
};

struct history_position {
        struct history_filter filter;
        struct history_at at;
        int64_t left;                    /* rows */
        struct attempt_record *attempts; /* that were read and are not told yet; owned */
        size_t n_attempts;
};

struct connection {
        struct server *server;
        struct connection *next;
        int fd; /* owned */
        sd_event_source *io;
        uint32_t events;        /* that io waits for */
        sd_event_source *limit; /* a call has begun and has not ended; or NULL */
        struct server_peer peer;

        struct varlink_input in;
        struct passed passed; /* of a peer that may act; nobody else's descriptors are taken */
        char *out;            /* owned; out_begin to out_end waits to be sent */
        size_t out_begin, out_end, out_allocated;
        size_t out_limit;

        struct varlink_call call; /* while busy */
        bool busy;
        enum stream stream;
        uint64_t seen; /* STREAM_WATCH: the server's generation that the peer has been told */
        bool asked;    /* the record is asked: an answer comes, or is forgotten */
        struct history_position history;
        char *cancelled; /* STREAM_CANCEL: the slot's ID_PATH or port path; owned */
        uint64_t order;  /* STREAM_BEGIN: its number */

        bool eof;    /* the peer says no more, or is heard no more */
        bool gone;   /* the peer listens no more; what it asked before is still done */
        bool doomed; /* will be freed */
};

struct watched_slot {
        char *name;
        uint64_t changed; /* the generation of its last change */
};

/* A kind of line in the log that clients could fill it with. */
struct told_rarely {
        uint64_t again_usec; /* it was told, and is not before that */
        unsigned n_untold;
};

struct server {
        sd_event *event;
        const struct server_options *options;
        const struct server_ops *ops;
        void *userdata;
        gid_t group; /* its members may act; (gid_t)-1: nobody's */

        int fd; /* owned; listens */
        bool bound;
        dev_t device; /* of the bound socket's file: what is removed in the end is what was made */
        ino_t inode;
        sd_event_source *accept, *accept_again, *room, *reaper, *progress;
        struct told_rarely not_taken, passed;

        struct connection *connections;
        size_t n_connections;

        uint64_t generation;        /* counts changes while somebody watches */
        struct watched_slot *slots; /* by name */
        size_t n_slots;
};

/* Of this peer came descriptors that are not taken, and so its connection ends. */
void server_tell_passed(struct server *server, const struct server_peer *peer);
enum admission_rank server_rank(const struct server_peer *peer);

/* Takes fd over on success. */
int connection_new(struct server *server, int fd, const struct server_peer *peer, struct connection **ret);
void connection_free(struct connection *c);
void connection_doom(struct connection *c, const char *why);
/* The peer has hung up, and all that it said was heard and done: then it is doomed. Returns whether it is. */
bool connection_has_left(struct connection *c);

/* Bytes that wait to be sent. */
size_t connection_unsent(const struct connection *c);
/* Queues bytes that end in NUL, and dooms the connection if too many wait already. */
void connection_queue(struct connection *c, const char *text, size_t size);

/* They take parameters over; NULL is out of memory, which dooms the connection. Without continues the call is done. */
void connection_reply(struct connection *c, json_t *parameters, bool continues);
/* As connection_reply(), the whole message printed already, and borrowed. */
void connection_reply_text(struct connection *c, const char *text, size_t size, bool continues);
/* error: its full name. The call is done. */
void connection_error(struct connection *c, const char *error, json_t *parameters);
/* Whether a parameter of the call is wrong; then the peer has been told and the call is done. */
bool connection_refuse(struct connection *c, struct varlink_arguments *args);
/* Refusals that say where; and why, a text that may come from a file's name. */
void connection_refuse_slot(struct connection *c, const char *error, const char *where);
void connection_refuse_why(struct connection *c, const char *error, const char *where, const char *why);
/* Failed, with the reason. */
void connection_fail(struct connection *c, int r);

#define SERVICE_INTERFACE "org.varlink.service"

/* methods.c: answers c->call, or begins a stream. */
void methods_dispatch(struct connection *c);

/* watch.c */
void method_status(struct connection *c);
/* The peer has read everything: it may be told what it missed. */
void watch_drained(struct connection *c);
int watch_begin(struct server *server);
void watch_done(struct server *server);

/* methods-act.c */
void method_reload(struct connection *c);
void method_cancel(struct connection *c);
void method_hold(struct connection *c);
void method_release(struct connection *c);
void method_retry(struct connection *c);
/* methods-flash.c */
void method_flash(struct connection *c);
/* The slot (NULL: any) is not as it was: who waits for it to rest is told. */
void cancel_look(struct server *server, const char *slot);

/* methods-history.c */
void method_history(struct connection *c);
void history_drained(struct connection *c);
void history_told(struct connection *c);
/* The parameters that choose attempts: slot, mac, image, since_realtime_usec, until_realtime_usec, verdict. *ret is to be
 * released. 0 or -ENOMEM; what is wrong is in args. */
int filter_take(const struct connection *c, struct varlink_arguments *args, struct history_filter *ret);

/* methods-records.c */
void method_stats(struct connection *c);
void method_consumers(struct connection *c);
void method_register_consumer(struct connection *c);
void method_acknowledge(struct connection *c);
void method_unregister_consumer(struct connection *c);
