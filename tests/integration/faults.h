/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The fault matrix: each fault at each moment of a job, played with the real programs and boards of the model, good
 * neighbours beside them. What becomes of each is told by the ledger, the slot and the flash array; docs/faults.md is
 * written from it, and a run is compared with it.
 *
 *   faults-plan.c     the tables: which fault strikes when, what may come of it, and why some cells are none
 *   faults-play.c     plays cells side by side, one board each on a port of its own
 *   faults-station.c  what strikes all boards at once: the hub, the daemon, the disk
 *   faults-book.c     what the ledger has of them, and what must hold of it
 *   faults-page.c     docs/faults.md: written, and read to be compared
 */
#pragma once

#include "tests/integration/line.h"

enum fault_moment {
        BEFORE_DETACH,  /* the engine has opened the node, and asks for the configuration */
        IN_DETACH,      /* */
        AFTER_REATTACH, /* the first GETSTATUS in DFU mode */
        FIRST_BLOCK,    /* */
        MID_FILE,       /* a block in the middle */
        AT_ERASE,       /* a block with which the chip erases a sector */
        LAST_BLOCK,     /* */
        EMPTY_DNLOAD,   /* the one that ends the download: the chip reads back what it has written */
        VERIFICATION,   /* the GETSTATUS that tells what came of it */
        AFTER_VERDICT,  /* the board is flashed */
        FAULT_MOMENTS,
};
const char *fault_moment_to_string(enum fault_moment moment);

#define AT(moment) (1u << (moment))
#define AT_ALL     (AT(FAULT_MOMENTS) - 1)
#define CAUSE(v)   (1u << VERDICT_##v)

/* Done by the test when the board's own fault has struck. */
enum fault_deed {
        DEED_NONE,
        DEED_ANOTHER,     /* plugs another board of the same chip into the port, once it is empty */
        DEED_OTHER_CHIP,  /* …, of another chip */
        DEED_KILL_ENGINE, /* SIGKILL */
        DEED_STOP_ENGINE, /* SIGSTOP */
        /* The rest is done to all boards at once, each at its moment: faults-station.c. */
        DEED_PULL_HUB,
        DEED_KILL_DAEMON,
        DEED_FILL_DISK,
};

/* What is special about a fault at one moment. */
struct fault_strike {
        const char *none; /* it cannot be: why */
        const char *says; /* in the end the slot has this in what it says; NULL: anything */
        enum phase
                rest; /* in which its slot rests; PHASE_EMPTY with !has_rest: failed, or flashed where it is good */
        bool has_rest;
        bool has_what; /* instead of the fault's own: */
        enum rom_fault_what what;
        uint64_t value;
};

struct fault_row {
        const char *name; /* the heading in the document */
        const char *text; /* what is done, in a sentence */
        enum rom_chip chip;
        enum fault_deed deed;
        bool strikes; /* the board has a fault of the model: */
        enum rom_fault_what what;
        uint64_t value;
        bool each; /* in each attempt; else once */
        struct rom_lie lies[ROM_LIES_MAX];
        bool any; /* its policy takes any DFU device */
        unsigned
                good; /* a set of AT(): the board that is there in the end is good, so it must be flashed, and right */
        unsigned causes;    /* a set of CAUSE(): verdicts that tell the truth about it */
        unsigned unsaid;    /* …, which come behind another or do not, for it is chance: not told then */
        unsigned limit_sec; /* from the strike until the slot rests */
        struct fault_strike at[FAULT_MOMENTS];
};

extern const struct fault_row fault_rows[];
extern const size_t n_fault_rows;

/* One board that is played. */
struct fault_cell {
        const struct fault_row *row;
        enum fault_moment moment;
        char port[16]; /* its slot's name, too */
        struct bed_board *board, *second;
        enum { CELL_WAITS, CELL_IS_AWAY, CELL_IS_REPLACED, CELL_GOES_ON, CELL_RESTS } step;
        uint64_t struck_usec, back_usec, rest_usec;
        /* The outcome. */
        char *attempts;   /* "stalled, flashed"; owned */
        char *end;        /* owned */
        char *wrong;      /* what did not hold, or NULL; owned */
        unsigned seconds; /* from the strike to its rest, rounded up */
};

#define FAULT_SIDE_BY_SIDE 24 /* cells, and a good neighbour for each three of them */

struct faults {
        struct line line;
        GPtrArray *cells; /* of struct fault_cell, owned: all that are played, in the plan's order */
        char *text;       /* of docs/faults.md; owned */
        GHashTable *page; /* what docs/faults.md has: "name|moment" -> its line; owned */
        unsigned block[ROM_N_CHIPS][FAULT_MOMENTS]; /* the number of the block that a moment is at */
        struct fault_cell **now;                    /* those on the line, borrowed */
        size_t n_now;
        struct bed_board *good[FAULT_SIDE_BY_SIDE];
        char good_port[FAULT_SIDE_BY_SIDE][16];
        size_t n_good;
        struct fault_cell *due; /* found by the condition */
        unsigned n_wrong;
        char full_disk[128]; /* of the daemon's environment */
        const char *environment[3];
};

/* faults-plan.c */
bool fault_is_for_station(const struct fault_row *row);
bool fault_is_good(const struct fault_cell *cell);
/* The rom_fault of a cell; false: it has none. */
bool fault_of_cell(const struct faults *f, const struct fault_cell *cell, struct rom_fault *ret);
void fault_find_blocks(struct faults *f);

/* faults-play.c. An empty line with its daemon, and its end. */
void faults_begin_line(struct faults *f);
void faults_end_line(struct faults *f);
void faults_plug(struct faults *f, struct fault_cell *cell, const struct rom_fault *fault);
void faults_plug_good(struct faults *f, size_t n);
bool faults_at_rest(struct faults *f, const struct fault_cell *cell); /* with the bed's lock */
/* Cells, at most FAULT_SIDE_BY_SIDE, from their plugging in to their outcome. */
void faults_play(struct faults *f, struct fault_cell **cells, size_t n);
/* Of what is plugged in: to the outcome, and the end of the line. */
void faults_finish(struct faults *f);
/* faults-station.c: all cells of a row with such a deed. */
void faults_play_station(struct faults *f, struct fault_cell **cells, size_t n);

/* faults-book.c: the outcome of what is on the line, and all that must hold of it. */
void faults_close_book(struct faults *f);
void faults_wrong(struct faults *f, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
void fault_is_wrong(struct fault_cell *cell, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

/* faults-page.c */
void faults_read_page(struct faults *f, const char *path);
void faults_write_page(struct faults *f, const char *path);
/* It is about the plan's faults and moments, all of them and no other. */
void faults_expect_page_of_plan(struct faults *f);
/* How many cells are not as the document has them; says which. */
unsigned faults_compare(struct faults *f);
/* The seconds that the document has for a cell; 0: it has none. */
unsigned faults_documented_limit(struct faults *f, const struct fault_row *row, enum fault_moment moment);
