/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A witness at the line: which board stood where and when, as the test's hands did it, and which downloads began and ended, as
 * the model of the chip saw it. Nothing of that comes from the station; in the end its ledger is held against it.
 */
#pragma once

#include "tests/integration/line.h"

struct witness_stay {
        const char *slot;            /* borrowed */
        uint64_t from_usec, to_usec; /* CLOCK_REALTIME; to: 0: it is there still */
};

struct witness_board {
        unsigned number;
        enum rom_chip chip;
        uint8_t mac[6];
        GArray *stays;     /* of struct witness_stay */
        GArray *downloads; /* of struct bed_download */
        GArray *rows;      /* of the ledger, of struct witness_row, in their order */
        char *file;        /* of board-data, the same in all rows; or NULL */
};

/* A row of the ledger. */
struct witness_row {
        int64_t id;
        const char *slot; /* interned */
        uint64_t start_usec, end_usec;
        enum verdict verdict;
        bool final;
        const struct bed_download *download; /* its own; NULL: none began */
};

struct witness {
        GPtrArray *boards; /* of struct witness_board, owned */
        GHashTable *macs, *slots;
};

void witness_init(struct witness *witness);
void witness_done(struct witness *witness);
/* A board that nobody has seen; the witness owns it. An ESP32-S2 tells no MAC. */
struct witness_board *witness_meet(struct witness *witness, enum rom_chip chip);
/* Its hands plug it in here, now; and pull it. Said before and after it is done. */
void witness_plugged(struct witness *witness, struct witness_board *board, const char *slot);
void witness_pulled(struct witness_board *board);
/* What the model saw of it until now. */
void witness_look(struct witness_board *board, struct bed_board *bed);

/*
 * Each row is about a board that was there. Each download that a board saw began within one row of it, and no row has two:
 * none is missing, none is doubled. What the ledger calls flashed was written and right. No file is given to two boards.
 */
void witness_compare(struct witness *witness, const json_t *rows);
/* How many of its rows have this verdict; _MAX_: how many there are. */
unsigned witness_count(const struct witness_board *board, enum verdict verdict);
/* "board 17 (7c:df:…)"; valid until the next call. */
const char *witness_name(const struct witness_board *board);
