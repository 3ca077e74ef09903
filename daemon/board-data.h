/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which board gets which file of a board-data folder. The next unused file is claimed in memory when an attempt is to
 * be opened, and becomes the board's in the commit that opens it (daemon/ledger-data.h); a board that has one already
 * gets that one again. Which files of a folder are unused is kept by daemon/data-pool.h.
 */
#pragma once

#include <systemd/sd-event.h>

#include "core/digest.h"
#include "daemon/ledger-data.h"

struct board_data;

/* changed: something may go on that waited: called from the loop, never from within a call of this interface. */
int board_data_new(sd_event *event, struct ledger *ledger, void (*changed)(void *userdata), void *userdata,
                   struct board_data **ret);
struct board_data *board_data_free(struct board_data *data);
DEFINE_CLEANUP(struct board_data, board_data_free)

/* The configuration is another, or somebody wants it looked at again: every folder is read anew when it is needed. */
void board_data_reload(struct board_data *data);
/* Have changed() called. */
void board_data_poke(struct board_data *data);

/* Who wants a file. Borrowed. */
struct board_data_want {
        const char *folder;
        const char *job;
        const char *mac; /* or NULL */
        struct presence_key presence;
        bool dfu_mode; /* it stands in DFU mode */
        /* What this job got before, or NULL: it gets no other. */
        const char *file, *sha256;
};

struct board_data_file {
        char *path;
        char sha256[SHA256_HEX];
        uint8_t *data;
        size_t len;
};
void board_data_file_done(struct board_data_file *file);

enum {
        BOARD_DATA_WAITS =
                1, /* for somebody to do something about the folder or the file, which *ret_why names */
        BOARD_DATA_LATER, /* the folder is being read: changed() is called */
};

/*
 * The file for this board, and a claim on it until board_data_commit() or one of its neighbours. Returns 0 and *ret; one of
 * the above with *ret_why, one line to be freed; or a negative errno.
 */
int board_data_take(struct board_data *data, const struct board_data_want *want, struct board_data_file *ret,
                    char **ret_why);
/* The job's claim, if it has one, ends: its file is the board's now, as the ledger says. */
void board_data_commit(struct board_data *data, const char *job);
/* … its file cannot be used, and stays the next one: nobody has changed() called for it. */
void board_data_refuse(struct board_data *data, const char *job);
/* … the job is over, and its file free again. */
void board_data_release(struct board_data *data, const char *job);

/* As board_data_take(), without claim and content: the path that it would get; *ret_path is NULL before. */
int board_data_peek(struct board_data *data, const struct board_data_want *want, char **ret_path,
                    char **ret_why);

/* Begins to read a folder before a board wants a file of it. 0; BOARD_DATA_WAITS with *ret_why, to be freed; or a negative errno. */
int board_data_read_ahead(struct board_data *data, const char *path, char **ret_why);
