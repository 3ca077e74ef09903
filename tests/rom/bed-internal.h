/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of the bed, for each other alone; a test includes bed.h. */
#pragma once

#include "tests/rom/bed.h"

#include <stdio.h>
#include <umockdev.h>

#define BED_INTERFACES 3
#define BED_PORT_MAX   32
#define BED_BUSES_MAX  15
#define BED_DEVNUM_MAX 127 /* on one bus, as in life */

/* One stay of a board on the bus: one device node. It outlives the stay, since programs may hold it open. */
struct node {
        struct bed_board *board;
        UMockdevIoctlBase *handler;
        unsigned bus, devnum;
        char devnode[32];
        char syspath[160];
        char *properties; /* "NAME=value\n…", as udev would have them */
        char *tags;       /* ":espdfu:" */
        uint64_t usec_initialized;
        struct bed_firsts firsts;
        bool gone;
        bool attached;         /* umockdev has a handler for the device node, and it is this node's */
        GQueue openers;        /* processes that opened it and have no client yet */
        unsigned left_unknown; /* clients that left before it was known who they were */
        GPtrArray *clients;    /* of struct client, owned */
        struct client *claimed[BED_INTERFACES]; /* by whom */
        unsigned n_claims;
};

/* One open() of a node by a program. */
struct client {
        struct node *node;
        UMockdevIoctlClient *peer; /* owned: umockdev itself drops it while an ioctl waits */
        GQueue done;               /* of struct transfer: to be reaped */
        bool reaping, blocking;    /* an ioctl waits for done */
        bool found_nothing;        /* the last reap did */
        unsigned reaped_in_a_row;
        uint64_t reap_until;
        bool pid_taken; /* from the node's openers */
        int pidfd;      /* of the program; -1: not known yet */
};

/* A control transfer of a program: an URB, or an ioctl that waits for it. */
struct transfer {
        struct client *client;
        struct rom_setup setup;
        uint64_t submitted_usec, deadline_usec;
        bool is_ioctl;
        UMockdevIoctlData *urb;  /* owned; NULL for SETINTERFACE */
        UMockdevIoctlData *data; /* owned: what goes out or comes in; NULL without */
        size_t data_offset;      /* 8 in an URB, behind the setup packet */
        int status;              /* when it is over: 0 or a negative errno, */
        size_t len;              /* bytes that were transferred, */
        uint8_t *in;             /* and those of an IN transfer; owned */
};

struct bed_board {
        struct bed *bed;
        struct rom *rom;
        char port[BED_PORT_MAX];
        struct node *node;       /* the present, or last, stay */
        GHashTable *properties;  /* of the test: name -> value, "" removes it */
        int occupied;            /* an interface, or -1 */
        GQueue queue;            /* of struct transfer, in the order they came */
        bool active;             /* a transfer has its turn: */
        struct transfer *turn;   /* it; NULL when the host took it back */
        struct rom_reply reply;  /* what will become of it */
        uint64_t due_usec;       /* when */
        uint64_t free_usec;      /* the one before was through then */
        GArray *downloads;       /* of struct bed_download */
        uint64_t forgotten_usec; /* 0: it is not */
        uint64_t return_usec;    /* comes back by itself then; USEC_INFINITY: does not */
};

struct bed {
        UMockdevTestbed *testbed;
        char *root;    /* umockdev's directory */
        GMutex lock;   /* over all that follows, and the models */
        GCond changed; /* something is due earlier than the bus thread knows */
        GThread *bus;  /* does what is due */
        bool ending;
        GPtrArray *boards;                       /* of struct bed_board, owned */
        GPtrArray *nodes;                        /* of struct node, owned */
        GPtrArray *children;                     /* of struct bed_child, owned */
        unsigned last_devnum[BED_BUSES_MAX + 1]; /* by bus: given last */
        bool devnum_taken[BED_BUSES_MAX + 1][BED_DEVNUM_MAX + 1];
        unsigned long long seqnum;
        GAsyncQueue *events; /* of what udev says, in its order */
        GThread *udev;       /* says it */
        uint64_t hold_usec;
        FILE *openers; /* owned; NULL: nobody opened anything yet */
};

/* bed.c */
uint64_t bed_now(void);
/* The next free device number; a bus that is full ends the test. */
unsigned bed_take_devnum(struct bed *bed, unsigned bus);
/* The board leaves the bus: all that is in flight fails. Returns after away_usec; USEC_INFINITY: not by itself. */
void board_leave(struct bed_board *board, uint64_t away_usec);

/* bed-bus.c; all with the lock held */
/* Does what is due by now, and no more. */
void board_run(struct bed_board *board, uint64_t now_usec);
/* When there is something to do next; USEC_INFINITY: nothing. */
uint64_t board_next_usec(const struct bed_board *board);
/* What is in flight on the node comes back as failed. */
void node_fail_transfers(struct node *node);
/* Into the board's queue, which owns it from here on. */
void transfer_submit(struct transfer *t);
/* Takes a transfer from the bus; the caller owns it again. Returns whether it was there. */
bool transfer_take_back(struct bed_board *board, struct transfer *t);
/* It is over: an URB is told when it is reaped, an ioctl at once. status is 0 or a negative errno. Takes t. */
void transfer_finish(struct transfer *t, int status);
void transfer_free(gpointer transfer);
/* The program waits in a reap; it is answered when something is over, or nothing for too long. */
void client_begin_reap(struct client *client, bool blocking);
void client_drop_transfers(struct client *client);

/* bed-usbfs.c; with the lock held: the ioctl that the program waits in, answered now or later */
void client_ioctl(struct client *client);

/* bed-clients.c; all with the lock held */
void node_attach_ioctl(struct bed *bed, struct node *node);
/* Lets go of the programs that closed the node, or died; of all but one, if that is not NULL. */
void node_forget_closed(struct node *node, const struct client *but);
/* The program closed the node, or died: its transfers are taken back, its claims released, and it is freed. */
void client_gone(struct client *client);
void client_free(gpointer client);

/* bed-udev.c; all with the lock held */
void node_add(struct bed *bed, struct node *node);
void node_remove(struct bed *bed, struct node *node);
void bed_add_hubs(struct bed *bed, const char *port);
/* The thread that says it; without the lock. */
void bed_start_udev(struct bed *bed);
void bed_stop_udev(struct bed *bed);
void node_send_uevent(struct bed *bed, const struct node *node, const char *action);
/* The sysfs path of a port, as "/sys/devices/…/usb1/1-4/1-4.1". */
void port_syspath(const char *port, char *ret, size_t size);

/* bed-child.c */
void child_free(gpointer child);
