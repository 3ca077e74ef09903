/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A day on a line, played: boards in the order in which they come, what is wrong with some of them, what the operator does
 * with each, and a book of what must come of it. The book is written from the plan alone, never from what the station
 * says; day-book.c compares both at the end.
 *
 * 40 slots: A1 to A16, a hub; B1 to B16, a cascade of four; C1 to C8, each with its own name. Four policies: gizmo
 * (ESP32-S2, a file of its own for each board), meter (ESP32-P4, pinned, reset afterwards), bench (whatever else is in C*, with
 * the image for an ESP32-S3, a file for each MAC) and probe (ESP32-S3 elsewhere, signed, never twice). An ESP32-S31 has none,
 * and in C* an image for another chip.
 */
#pragma once

#include "tests/integration/stock.h"

#define DAY_SLOTS 40

/* What the operator does with a board. */
enum day_script {
        DAY_WAIT,        /* until it is done, then takes it out */
        DAY_PUT_BACK,    /* it was pulled in mid-file: puts it back into its slot */
        DAY_MOVE,        /* …: puts it into another slot */
        DAY_SCRAP,       /* …: and leaves it out */
        DAY_SWAP,        /* …: puts another one into its slot */
        DAY_CANCEL,      /* in mid-file: espdfuctl cancel */
        DAY_RETRY,       /* …, and then espdfuctl retry */
        DAY_HOLD,        /* holds the slot before, and releases it */
        DAY_AGAIN,       /* plugs it in once more later, into another slot */
        DAY_APPLICATION, /* its application comes up on the port, and looks like the ROM */
        DAY_FLAP,        /* it loses its contact three times: the slot is held, and released without it */
};

#define DAY_S2  (1u << ROM_S2)
#define DAY_S3  (1u << ROM_S3)
#define DAY_P4  (1u << ROM_P4)
#define DAY_S31 (1u << ROM_S31)
#define DAY_MAC (DAY_S3 | DAY_P4)
#define DAY_ANY (DAY_S2 | DAY_MAC)

/* In which slots it is played. */
enum day_place {
        DAY_ANYWHERE,
        DAY_IN_C,
        DAY_NOT_IN_C,
};

struct day_kind {
        const char *name;
        unsigned chips; /* that it is played with: a set of 1 << enum rom_chip */
        enum day_script script;
        struct rom_fault faults[3];
        unsigned n_faults;
        uint64_t transfer_usec; /* of its bus; 0: quick */
        enum day_place place;
        enum phase phase; /* in which the board rests in the end */
        const char *says; /* what its slot says then has this text in it; NULL: anything */
        /* How its job ends; and the one before, where an ESP32-S2 that left is a new board. VERDICT_NONE: no job. */
        enum verdict verdict, first_of_s2, first;
        bool not_the_rom, in_dfu_mode;
        bool leaves;   /* counts as a contact that flaps */
        bool long_day; /* takes a minute: not in a short one */
};

/* One job that must be in the ledger. */
struct day_entry {
        enum verdict verdict;
        struct day_board *board; /* borrowed */
        unsigned slot, stay;
        char *file; /* that the ledger says it got; owned, or NULL */
};

struct day_board {
        unsigned number;
        const struct day_kind *kind;
        enum rom_chip chip;
        uint8_t mac[6];
        struct bed_board *bed; /* NULL: not yet plugged */
        unsigned step, n_stays;
        unsigned last_slot;
        bool interrupted; /* the daemon ended while it was there: it may have been flashed once more than was recorded */
};

/* A port of the line, and who stands there. */
struct day_slot {
        char name[8], port[16];
        struct day_board *board;
        bool done;        /* taken out: waits until the station shows it */
        unsigned n_left;  /* how often a board left it in mid-file today */
        enum phase stale; /* what it showed when its board was plugged in, and the time of its last attempt */
        uint64_t stale_usec;
};

struct day {
        struct line line;
        struct sample_image p4;
        GRand *chance;
        struct day_board *boards;
        unsigned n_boards, next, n_plugged, n_events;
        bool event_is_due; /* until it has come, good boards alone are plugged in */
        GQueue again;      /* boards that come once more */
        GArray *entries; /* struct day_entry, in the order in which the jobs end for a board, or a slot of S2 boards */
        struct day_slot slots[DAY_SLOTS];
        char owner[40];
        const char *environment[2];
};

/* day-plan.c */
void day_plan(struct day *day, unsigned n_boards, uint32_t seed);
/* day-line.c */
void day_begin(struct day *day);
void day_configure(struct day *day, unsigned jobs_max);
/* day-operator.c: until all boards were there, and all slots are empty. */
void day_work(struct day *day);
/* day-book.c */
void day_expect_job(struct day *day, struct day_board *board, unsigned slot, enum verdict verdict);
void day_close_book(struct day *day);
void day_end(struct day *day);
