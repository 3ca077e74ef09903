/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vocabulary of the tests of the server: peers that call, read or do not, in the server's own event loop. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/messages.h"
#include "core/varlink.h"
#include "tests/daemon/fake-station.h"

#define PATIENCE (5 * USEC_PER_SEC) /* until a test says that it waited in vain */
#define SERVICE  "org.varlink.service."
#define STATION  STATION_INTERFACE "."

struct world {
        char directory[64], path[96];
        sd_event *event;
        struct server_options options;
        struct server *server;
        struct fake_station station;
        struct server_peer peer; /* whom the server sees at every new connection */
};

extern struct world w;

/* A server on a socket of its own, with the station of the manual. */
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int set_up(void **state);
int tear_down(void **state);

uint64_t now_usec(void);
/* All that is due now. */
void settle(void);

struct client {
        int fd;
        struct varlink_input in;
        struct varlink_reply reply; /* the last one */
        bool closed;
};

struct client *connect_client(void);
/* As that, and the loop has not looked yet. */
struct client *connect_unseen(void);
struct client *connect_as(uid_t uid, bool may_act);
void hang_up(struct client *c);

/* All of it, running the loop while the server has no room. */
void send_bytes(struct client *c, const void *data, size_t size);
void call(struct client *c, const char *text);
void call_method(struct client *c, const char *method, json_t *parameters, bool more);

/* What is there now; false if there is no whole message. */
bool take_reply(struct client *c);
/* The parameters of the next reply; runs the loop until it has come. */
json_t *expect_reply(struct client *c);
void expect_error(struct client *c, const char *error, const char *key, const char *value);
void expect_hang_up(struct client *c);
/* Nothing is due and no timer runs: the loop would sleep. */
void expect_idle(void);

/* Of Status: one slot, the length of an array. */
const char *slot_name(json_t *parameters, size_t i);
const char *slot_phase(json_t *parameters, size_t i);
json_int_t slot_bytes(json_t *parameters, size_t i);
size_t n_of(json_t *parameters, const char *key);
/* A client whose Status with "more" has been answered. */
struct client *watch(void);
