/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which board got which file of a board-data folder: the table board_data. The functions on a struct ledger are for the
 * daemon, in the event loop; those on a struct ledger_db for the ledger's own files.
 */
#pragma once

#include "daemon/ledger-db.h"
#include "daemon/ledger.h"

/* One file with its board; texts are owned. A board is its MAC or, where it tells none, its stay on a port. */
struct board_data_row {
        char *file;   /* absolute path */
        char *folder; /* that it is in, as configured */
        char *sha256; /* of its content, hexadecimal */
        char *job;    /* that it was last taken for */
        char *mac;    /* or NULL */
        char *slot, *policy;
        char *boot_id, *path; /* the board's stay, as struct presence_key: the last that is known */
        unsigned devnum;
        uint64_t initialized_usec;
        uint64_t assigned_realtime_usec; /* when the board got it first */
};
void board_data_row_done(struct board_data_row *row);
/* A copy that owns its texts; *ret is overwritten. 0 or -ENOMEM. */
int board_data_row_copy(const struct board_data_row *row, struct board_data_row *ret);

/*
 * As ledger_attempt_open(), and in the same commit the file becomes this board's, for ever. r is -EEXIST, and no row was
 * opened, when the file, or its content under another name, is another board's, or the board has another file of the
 * folder. data is copied; NULL: as ledger_attempt_open(). So is note: what the ledger says of this stay from that commit on.
 */
int ledger_attempt_open_with_data(struct ledger *ledger, const struct attempt_record *record,
                                  const struct board_data_row *data, const struct presence_note *note,
                                  ledger_done_t done, void *userdata);
/* The board of this job, which has the file, is on its port for another stay now (after DETACH). Nobody is told. */
int ledger_data_moved(struct ledger *ledger, const struct board_data_row *data);

/* What a board has of this folder: by its MAC or, where that is NULL, by its stay. 1 and *ret, 0, or a negative errno
 * (-ETIME after 200 ms, as the next ones). */
int ledger_data_of_board(struct ledger *ledger, const char *folder, const char *mac,
                         const struct presence_key *presence, struct board_data_row *ret);
/*
 * What a board without a MAC has of this folder, that came back from DETACH after its daemon had died: it stands in DFU
 * mode, which a board that was just plugged in does not, where the last attempt of this boot was interrupted before.
 * Only ledger_data_moved() makes it the file of this stay. 1 and *ret, 0, or a negative errno.
 */
int ledger_data_interrupted(struct ledger *ledger, const char *folder, const struct presence_key *presence,
                            struct board_data_row *ret);
/* Who has a file with this content. 1 and *ret, 0, or a negative errno. */
int ledger_data_by_content(struct ledger *ledger, const char *sha256, struct board_data_row *ret);
/* Tells every used file of the folder, ordered by strcmp(). file is borrowed for the call. 0 or a negative errno. */
int ledger_data_used(struct ledger *ledger, const char *folder,
                     void (*used)(void *userdata, const char *file), void *userdata);

/* ---- for the ledger's files ---- */

/* EEXIST as above. */
int ledger_db_data_assign(struct ledger_db *db, const struct board_data_row *row);
int ledger_db_data_moved(struct ledger_db *db, const struct board_data_row *row);
int ledger_query_data_of_board(struct ledger_db *db, const char *folder, const char *mac,
                               const struct presence_key *presence, struct board_data_row *ret);
int ledger_query_data_interrupted(struct ledger_db *db, const char *folder,
                                  const struct presence_key *presence, struct board_data_row *ret);
int ledger_query_data_by_content(struct ledger_db *db, const char *sha256, struct board_data_row *ret);
int ledger_query_data_used(struct ledger_db *db, const char *folder,
                           void (*used)(void *userdata, const char *file), void *userdata);
