/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One port of the bed and the board that is, or was, plugged into it: the kernel's URBs on one side, the
 * model of the chip (tests/rom/rom.h) on the other.
 *
 * Endpoint 0 is a bus: one control transfer at a time, in the order in which they came, each as long as
 * the model says. The bus keeps its own time: a transfer begins when the one before it ended, not when
 * this process got round to it, so a late wake-up costs latency and never throughput. URBs of the CDC
 * interfaces stand beside it: IN stays pending until the host takes it back, OUT is swallowed.
 *
 * vhci_hcd keeps port resets to itself. A GET_DESCRIPTOR(device) of 64 bytes to a configured board is how
 * a reset shows: the kernel begins each enumeration with it, and nothing else asks so.
 */
#pragma once

#include "tests/rom/rom.h"

struct urb;
struct urb_list {
        struct urb *first, *last;
        unsigned n;
};

enum port_phase {
        PORT_EMPTY,    /* nothing on the bus, and nothing comes by itself; the model may still be there */
        PORT_AWAY,     /* off the bus until back_at */
        PORT_ATTACHED, /* on the bus */
};

/* Strings that the model borrows. */
enum port_string {
        PORT_SERIAL,
        PORT_PRODUCT,
        PORT_MANUFACTURER,
        PORT_N_STRINGS,
};

/* A board to be plugged in. */
struct plug {
        struct rom_config config;
        char *strings[PORT_N_STRINGS]; /* owned: those that config borrows */
};

struct port_figures {
        unsigned attached;                /* times it came on the bus */
        unsigned resets_seen;             /* bus resets of the configured board */
        unsigned unlinked;                /* URBs that the host took back before they were answered */
        unsigned queue_max;               /* control transfers that stood at endpoint 0 together */
        uint64_t download_usec;           /* of the last download: first DNLOAD's SETUP to last one's end */
        /* CLOCK_MONOTONIC: first on the bus; the first DETACH and DNLOAD; the last answer that made a download complete. */
        uint64_t plugged_at, detach_at, download_at, completed_at;
};

struct port {
        unsigned number; /* the bed's, from 0 */
        int epoll_fd;    /* borrowed: the socket is entered there with number as its data */
        enum port_phase phase;
        struct rom *rom; /* the board plugged in last: after a pull its flash can still be looked at */
        char *strings[PORT_N_STRINGS]; /* owned; the model's, where a scenario gave some */
        int fd;
        uint64_t back_at, give_up_at; /* PORT_AWAY */
        bool configured;
        struct urb_list control, others; /* in the order in which they came */
        /* The control transfer on the bus. */
        bool busy;
        bool was_reset;      /* the host reset the board, which then left */
        struct urb *current; /* NULL when the host took it back meanwhile */
        struct rom_reply reply;
        uint64_t done_at; /* USEC_INFINITY: it is never answered */
        uint64_t free_at; /* when the last transfer ended */
        uint64_t download_from;
        struct port_figures figures;
        uint8_t *in, *out; /* bytes of the socket, not parsed yet; not sent yet */
        size_t in_len, out_len;
};

/*
 * Plugs in a new board, whose strings become the port's; or the one pulled before, if plug is NULL.
 * -EBUSY: one is there. -ENODEV: none was pulled.
 */
int port_plug(struct port *p, struct plug *plug, uint64_t now_usec);
void plug_done(struct plug *plug);
/* Pulls the plug: 0, or -ENODEV if nothing is plugged in. */
int port_pull(struct port *p);
/* The socket has something to say. */
void port_receive(struct port *p, uint64_t now_usec);
/* Does all that is due. Returns when to call again at the latest, or USEC_INFINITY. */
uint64_t port_run(struct port *p, uint64_t now_usec);
void port_done(struct port *p);
