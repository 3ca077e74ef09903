/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The vocabulary of the fleet's tests: a real Mosquitto on a port of 127.0.0.1, with TLS, passwords and an ACL, that is killed
 * and started again; and clients of it that are fleet/broker.c with a loop. Nothing of the system's own broker is touched.
 *
 * Users and their passwords are the same word: "line3" is station line3's bridge, "collector", "viewer" (may read all),
 * "stations" (all bridges in one), "collect" (espdfu-collect, which may do no more than it must).
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <jansson.h>

#include "fleet/broker.h"

struct bed {
        char dir[64];
        unsigned port;     /* of the listener with TLS */
        unsigned tls_less; /* of the one without, for who floods it */
        pid_t broker;
        const char *
                certificate; /* of the broker's next start: NULL "broker", "elsewhere" (another host's), "over" */
        bool require_certificate; /* of its clients */
};

extern struct bed bed;

/* For cmocka's group: a directory, certificates (a minute old, a day long), passwords; nothing started. And all of it removed,
 * with every program that start_program() started. */
int bed_setup(void **state);
/* The directory alone, for who wants no broker. */
int bed_directory(void **state);
int bed_teardown(void **state);

/* Waits until it takes connections. persistent: what is retained and queued is written to disk each second, so that a killed
 * one comes back with most of it. */
void start_broker(bool persistent);
/* kill -9, and SIGTERM. */
void kill_broker(void);
void stop_broker(void);
/* SIGSTOP and SIGCONT: it is there, and silent. */
void freeze_broker(bool frozen);

/* A file of the bed: "ca.crt", "client.crt", "client.key", "other-ca.crt", "line3.password". */
const char *bed_file(const char *name);
/* A file with this text. Its path, as bed_file(). */
const char *write_file(const char *name, const char *text);
/* Settings of a client of it; borrowed texts, valid until the bed is removed. */
struct broker_settings settings_of(const char *user);

/* A program with its stderr appended to bed_file(log); argv up to NULL. */
pid_t start_program(const char *log, const char *const *argv);
/* Sends the signal and waits for its end: its wait status. */
int end_program(pid_t pid, int signal);
/* The file's whole text, to be freed; "" where it is not there. */
char *text_of(const char *path);
/* How many lines of bed_file(name) have this in them. */
unsigned lines_with(const char *name, const char *text);
/* Waits until the file has this text; fails after 20 s. */
void expect_line(const char *log, const char *text);
/* What this process says on stderr is from here on in bed_file("said"), which begins empty. */
void listen_to_stderr(void);
unsigned free_port(void);

/* A process of our own program: 0 in it. Ended like a program. */
pid_t fork_program(void);
/* The same with pipes to its stdin and from its stdout. */
pid_t start_with_pipes(const char *log, const char *const *argv, FILE **ret_in, FILE **ret_out);
/* Turns this client's loop until the condition holds, or 20 s are over: then the test fails. */
#define turn_until(broker, condition)                                                                        \
        do {                                                                                                 \
                uint64_t turn_end_ = monotonic_usec() + 20 * USEC_PER_SEC;                                   \
                while (!(condition)) {                                                                       \
                        if (monotonic_usec() >= turn_end_)                                                   \
                                fail_msg("waited 20 s for " #condition);                                     \
                        turn(broker);                                                                        \
                }                                                                                            \
        } while (0)
/* Once, or 100 ms. */
void turn(struct broker *broker);
