/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A line of boards without hardware, root or kernel: umockdev shows modelled boards (rom.h) to real programs through
 * real libudev and libusb. A test plugs boards, starts programs, waits for what it expects, and compares flashes:
 *
 *      struct bed *bed = bed_new();
 *      struct bed_board *board = bed_plug(bed, "1-4.1", &(struct rom_config){ .chip = ROM_S2 });
 *      struct bed_child *child = bed_spawn(bed, (const char *[]){ "dfu-util", "-D", path, NULL }, NULL);
 *
 *      assert_int_equal(bed_wait_child(child, 60 * USEC_PER_SEC), 0);
 *      assert_true(rom_flash_has_image(bed_rom(board), image.data, image.size));
 *      bed_free(bed);
 *
 * One bed at a time in a process. Programs see the bed through LD_PRELOAD and UMOCKDEV_DIR, which they must hand on to
 * the programs that they start. The test's own process is not preloaded.
 *
 * The bus: each board runs its control transfers one by one, in the order they were submitted by whomever, and each takes
 * the time that the model says, to the microsecond on average: what is due at a wake-up is done, at its own time. A
 * transfer that the host took back before its turn never reaches the board; taken back during its turn, the board is
 * busy with it to the end. The hosts' kernel is played by the bed: claims, ENODEV after a pull (URBs that were in flight
 * can still be reaped, as ESHUTDOWN, the one at its turn as EPROTO), udev's events with their properties and tags.
 *
 * What it does not show, and its limits (umockdev 0.17):
 *  - the device node is a regular file: epoll refuses it, poll calls it always ready. A reap with nothing due is
 *    therefore held for up to bed->hold_usec, so that a program which waits does not spin; and after 16 reaps in a row
 *    one finds nothing, so that a program's loop gets its turn even where transfers take no time;
 *  - only the process that opened a node is emulated: descriptors handed over by exec or SCM_RIGHTS are not. The preloaded
 *    library talks to the bed by a Unix socket: a seccomp filter must let socket, connect, sendto, recvfrom,
 *    clock_nanosleep, rt_sigprocmask and close through;
 *  - all signals are blocked in a program while it is in an ioctl;
 *  - no udev rule is run: ID_PATH, tags and the rest are what the bed says. No permissions, no systemd, no enumeration;
 *  - without bed-preload.so (which bed_spawn() adds) umockdev has no udev database: a device found by enumeration would
 *    be uninitialized, without tags, and USEC_INITIALIZED a mere property; and two programs whose monitors happen to have
 *    the same descriptor number would steal each other's events. With it all of that is right.
 */
#pragma once

#include "tests/rom/rom.h"
#include "tests/rom/sample-image.h"

#include <sys/types.h>

struct bed;
struct bed_board;
struct bed_child;

/*
 * Aborts where there is no umockdev or no memory: a test cannot go on then. Unless TMPDIR says otherwise, or GLib was
 * asked for it before, GLib's temporary directory is /dev/shm from here on: the bed is many small files.
 */
struct bed *bed_new(void);
/* Kills the programs that still run, pulls all boards and forgets everything. Always NULL. */
struct bed *bed_free(struct bed *bed);
DEFINE_CLEANUP(struct bed, bed_free)

/* ---- boards ------------------------------------------------------------------ */

/*
 * A new board, with power, on a port ("1-4.1": bus 1, port 4, its port 1), seen by every program that listens. Hubs on
 * the way are made. The board lives until bed_free().
 */
struct bed_board *bed_plug(struct bed *bed, const char *port, const struct rom_config *config);
/* A hub with so many ports, on a port where nothing is; those on the way are made, with 16. Its udev event is sent. */
void bed_plug_hub(struct bed *bed, const char *port, unsigned n_ports);
/* It and its event are gone; nothing may be below it. */
void bed_pull_hub(struct bed *bed, const char *port);
/* The plug is pulled. Nothing, if it is off the bus by then; it does not return by itself any more. */
void bed_pull(struct bed_board *board);
/* The same board again, on a port (NULL: where it was). It was pulled, or left for good. */
void bed_replug(struct bed_board *board, const char *port);
/*
 * It was pulled and is never plugged in again: its memory, and what the bed has to do for it, is given back, but not before
 * every program has had time to close the nodes of its stays. board and its model must not be used any more.
 */
void bed_forget(struct bed_board *board);
/* Whether it is on the bus now. */
bool bed_is_present(struct bed_board *board);
/* "/dev/bus/usb/001/005" and the sysfs path of the present, or last, stay. Valid until the next one. */
const char *bed_devnode(struct bed_board *board);
const char *bed_syspath(struct bed_board *board);
/* When a program first opened the node of this stay, and first sent a transfer: on the monotonic clock; 0: none did yet. */
struct bed_firsts {
        uint64_t open_usec, transfer_usec;
};
struct bed_firsts bed_firsts(struct bed_board *board);
/* An archive that a program began to send, and when all of it was written and right; 0: never. CLOCK_REALTIME. */
struct bed_download {
        uint64_t begin_usec, end_usec;
};
/* All since the board was made, in their order; valid until the lock is given back. */
const struct bed_download *bed_downloads(const struct bed_board *board, size_t *ret_n);
/* A property of udev that the next stay of this board has; value NULL removes it. TAGS sets CURRENT_TAGS, too. */
void bed_set_property(struct bed_board *board, const char *name, const char *value);
/* A sysfs attribute of this stay, from now on: "power/control". */
void bed_set_attribute(struct bed_board *board, const char *name, const char *value);
/* Where a path of the bed's, a device node's say, is on this machine. To be freed. */
char *bed_path(struct bed_board *board, const char *path);
/* Sends one more event about the board: "change". */
void bed_uevent(struct bed_board *board, const char *action);
/*
 * The model. While programs run the bed's own threads use it: between bed_lock() and bed_unlock() it holds still. A
 * condition of bed_wait() runs under the lock anyway.
 */
struct rom *bed_rom(struct bed_board *board);
void bed_lock(struct bed *bed);
void bed_unlock(struct bed *bed);
/* Somebody who is no program of the test holds an interface of the board (-1: nobody does). */
void bed_occupy(struct bed_board *board, int interface);
/* How long a reap with nothing due is held; 0: never. The default is 5 ms. */
void bed_set_hold(struct bed *bed, uint64_t usec);

/* ---- programs ------------------------------------------------------------------ */

struct bed_spawn_options {
        const char *const *environment; /* "NAME=value", …, NULL; added to the test's own */
        const int *source_fds;          /* descriptors handed to the program; the test keeps its own */
        const int *target_fds;          /* their numbers there; from 3 on, each but once */
        size_t n_fds;
        bool outside;     /* the program does not see the bed */
        bool show_output; /* what it writes goes to the test's stderr, too */
};

/* Starts a program (found in PATH) in the bed. options may be NULL. It is killed when the test's process ends. */
struct bed_child *bed_spawn(struct bed *bed, const char *const *argv,
                            const struct bed_spawn_options *options);
pid_t bed_pid(const struct bed_child *child);
void bed_kill(struct bed_child *child, int signal);
/* Waits until it has ended. Returns its exit status, -signal when a signal ended it, or -ETIMEDOUT (it runs on). */
int bed_wait_child(struct bed_child *child, uint64_t limit_usec);
bool bed_child_runs(const struct bed_child *child);
/* What it wrote on stdout and stderr until now. */
const char *bed_output(const struct bed_child *child);

/* ---- waiting ------------------------------------------------------------------ */

/* Runs the default main context until the condition holds. False when it did not in time. */
bool bed_wait(struct bed *bed, bool (*condition)(void *userdata), void *userdata, uint64_t limit_usec);
/* Conditions that tests often want; userdata is what the name says. */
bool bed_board_is_present(void *board);
bool bed_board_is_gone(void *board);
bool bed_board_is_claimed_again(void *board); /* its DFU interface, for the second time in this stay */
/* Its programs wait for it, and have submitted what they want to. One that is stopped in between stops the whole bed. */
bool bed_board_is_waited_for(void *board);
bool bed_board_completed(void *board); /* rom_counters()->completed > 0 */
