/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a station shows of itself: the rows that `espdfuctl status` prints. The daemon fills them, core/messages puts
 * them on the socket and takes them off again. Everything is owned by its struct.
 */
#pragma once

#include "core/verdict.h"

struct slot_status {
        char *slot;   /* its configured name, else the port path */
        char *port;   /* port path; NULL while a slot named by ID_PATH has not been seen */
        char *path;   /* udev's ID_PATH, or NULL */
        char *chip;   /* "esp32s2", or NULL */
        char *mac;    /* or NULL: an S2 does not say it */
        char *policy; /* or NULL */
        char *image_name, *image_version; /* or NULL */
        char *data_file;                  /* what this board alone gets (board-data), or NULL */
        enum phase phase;
        uint64_t bytes_done, bytes_total; /* of the download; 0 of 0 when there is none */
        uint64_t rate;                    /* bytes per second, 0 when unknown */
        uint64_t left_usec;               /* time left, USEC_INFINITY when unknown */
        uint64_t elapsed_usec;            /* of this attempt, 0 when none runs */
        unsigned attempt, attempts_max;   /* 0 when there is no job */
        char *message;               /* why the slot is as it is (no policy, unusable, failed …), or NULL */
        enum verdict last_verdict;   /* of the last attempt on this slot, VERDICT_NONE if there was none */
        uint64_t last_realtime_usec; /* when it ended */
        char *last_message;          /* its text, or NULL */
};

struct policy_status {
        char *name;
        char *image;  /* path, or NULL */
        char *sha256; /* of the image in use, hexadecimal, or NULL */
        char *image_name, *image_version;
        char *unusable; /* why it cannot be used, or NULL */
};

struct station_status {
        char *name;
        char *id;             /* of the ledger: 32 hexadecimal digits; NULL from an older espdfud */
        int64_t id_since;     /* numbers up to this one were given under another id; 0: none */
        char *version;        /* of espdfud */
        uint64_t uptime_usec; /* of the daemon */
        uint64_t flashed_today;
        uint64_t failed_today;
        uint64_t first_pass_today; /* flashed with the first attempt */
        uint64_t flashed_last_hour;
        unsigned running, waiting, failed; /* slots */
        char *config_error;                /* the last reload was refused for this; NULL if not */
        char *ledger_trouble; /* why nothing can be recorded, so that nothing is flashed; NULL if it can */
        char *lagging;        /* the consumer that is furthest behind, where it is too far; else NULL */
        char *held;           /* nothing begins in any slot: "held by joe: new jig"; NULL: not held */
        struct slot_status *slots;
        size_t n_slots;
        struct policy_status *policies;
        size_t n_policies;
};

/* One message of `Status`: the whole station, or what changed since the one before. */
struct status_update {
        struct station_status station; /* policies: with whole alone */
        bool whole;
        char **gone; /* names of slots that are no more */
        size_t n_gone;
};

void slot_status_done(struct slot_status *slot);
void policy_status_done(struct policy_status *policy);
void station_status_done(struct station_status *status);
void status_update_done(struct status_update *update);

/* `espdfuctl explain`: one policy's answer for a slot. key is NULL where the policy matches. */
struct explain_policy {
        char *policy;
        bool matches;
        char *key, *wanted, *found;
};

struct explanation {
        char *slot, *port;
        bool present; /* a board is there */
        char *board;  /* what it is, in one line, or NULL */
        enum phase phase;
        char *chosen;  /* the policy, or NULL */
        char *held;    /* the hold of this slot, not the station's, whatever its phase; or NULL */
        char *message; /* what follows: "flashed 2 minutes ago and still plugged in", … */
        struct explain_policy
                *policies; /* in order, up to and with the first that matches; none among all slots */
        size_t n_policies;
};

void explanation_done(struct explanation *explanation);

/* `espdfuctl history`: one attempt, from the ledger. */
struct attempt_record {
        int64_t id;       /* the row's, in the order in which attempts began */
        int64_t sequence; /* in the order in which they were closed, without gaps; 0 while open */
        char *job;        /* all attempts of one job share it */
        unsigned attempt; /* 1, 2, … */
        char *slot, *port, *path;
        char *chip, *mac; /* mac: or NULL */
        char *policy;
        char *image_path, *image_name, *image_version, *image_sha256;
        char *boot_id;
        bool clock_synchronized;
        uint64_t start_realtime_usec, end_realtime_usec; /* end: 0 while open */
        uint64_t duration_usec;                          /* CLOCK_BOOTTIME */
        uint64_t bytes;
        uint64_t transfers;
        enum verdict verdict;
        bool final; /* no attempt of this job follows: it was closed with its presence */
        char *message;
        char *engine_message; /* what the engine itself said in the end, or NULL */
        /* How long it was in a phase, by CLOCK_BOOTTIME; away: from DETACH until the board was back. 0: never, or unknown. */
        uint64_t detaching_usec, away_usec, downloading_usec, verifying_usec;
        char *dfu_status,
                *dfu_state; /* what the board's last GETSTATUS said, if the attempt failed; else NULL */
        char *station;      /* name */
        char *data_file;    /* the per-board file that was put into the image, or NULL */
};

void attempt_record_done(struct attempt_record *record);
/* A copy that owns its texts. Returns 0 or -ENOMEM; *ret is overwritten, not released. */
int attempt_record_copy(const struct attempt_record *record, struct attempt_record *ret);

/* `espdfuctl reload`: what came of it. Refused when there are errors; then the counts mean nothing. */
struct reload_result {
        unsigned slots, policies; /* of the new configuration */
        char **warnings;
        size_t n_warnings;
        char **errors;
        size_t n_errors;
};

void reload_result_done(struct reload_result *result);
