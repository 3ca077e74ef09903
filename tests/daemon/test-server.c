/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The server, with peers that behave and peers that do not, in one event loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "core/interface.h"
#include "core/messages.h"
#include "core/varlink.h"
#include "daemon/log.h"
#include "daemon/peer.h"
#include "tests/daemon/fake-station.h"

#define PATIENCE (5 * USEC_PER_SEC) /* until a test says that it waited in vain */
#define SERVICE  "org.varlink.service."
#define STATION  STATION_INTERFACE "."

static struct {
        char directory[64], path[96];
        sd_event *event;
        struct server_options options;
        struct server *server;
        struct fake_station station;
        struct server_peer peer; /* whom the server sees at every new connection */
} w;

static int fake_peer(int fd, gid_t group, struct server_peer *ret)
{
        (void)fd;
        (void)group;
        *ret = w.peer;
        return 0;
}

static int set_up(void **state)
{
        (void)state;
        log_set_max_level(LOG_ERR);
        memset(&w, 0, sizeof(w));
        snprintf(w.directory, sizeof(w.directory), "/tmp/test-server.XXXXXX");
        assert_non_null(mkdtemp(w.directory));
        snprintf(w.path, sizeof(w.path), "%s/socket", w.directory);
        assert_true(sd_event_new(&w.event) >= 0);
        fake_station_line3(&w.station, UINT64_C(1700000000) * USEC_PER_SEC);
        w.peer = (struct server_peer){ .uid = 1000, .may_act = false };
        w.options = (struct server_options){ .path = w.path, .fd = -1, .group = NULL, .peer = fake_peer };
        assert_int_equal(server_new(w.event, &w.options, &fake_station_ops, &w.station, &w.server), 0);
        return 0;
}

static int tear_down(void **state)
{
        struct stat st;

        (void)state;
        if (w.server)
                server_free(w.server);
        sd_event_unref(w.event);
        assert_int_equal(lstat(w.path, &st), -1); /* the server cleaned up */
        assert_int_equal(rmdir(w.directory), 0);
        return 0;
}

/* ---- vocabulary ---- */

static uint64_t now_usec(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

/* All that is due now. */
static void settle(void)
{
        while (sd_event_run(w.event, 0) > 0)
                ;
}

struct client {
        int fd;
        struct varlink_input in;
        struct varlink_reply reply; /* the last one */
        bool closed;
};

static struct client *connect_client(void)
{
        struct client *c = calloc(1, sizeof(*c));
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        assert_non_null(c);
        c->in.limit = VARLINK_REPLY_MAX;
        memcpy(address.sun_path, w.path, strlen(w.path) + 1);
        c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_true(c->fd >= 0);
        assert_int_equal(connect(c->fd, (struct sockaddr *)&address, sizeof(address)), 0);
        settle();
        return c;
}

static struct client *connect_as(uid_t uid, bool may_act)
{
        w.peer = (struct server_peer){ .uid = uid, .may_act = may_act };
        return connect_client();
}

static void hang_up(struct client *c)
{
        varlink_reply_done(&c->reply);
        varlink_input_done(&c->in);
        if (c->fd >= 0)
                close(c->fd);
        free(c);
        settle();
}

/* All of it, running the loop while the server has no room. */
static void send_bytes(struct client *c, const void *data, size_t size)
{
        uint64_t deadline = now_usec() + PATIENCE;

        for (size_t sent = 0; sent < size;) {
                ssize_t n = send(c->fd, (const char *)data + sent, size - sent, MSG_NOSIGNAL);

                if (n > 0)
                        sent += (size_t)n;
                else if (n < 0 && errno != EAGAIN)
                        return; /* the server has hung up */
                sd_event_run(w.event, 0);
                assert_true(now_usec() < deadline);
        }
}

static void call(struct client *c, const char *text)
{
        send_bytes(c, text, strlen(text) + 1);
}

static void call_method(struct client *c, const char *method, json_t *parameters, bool more)
{
        char *text;
        size_t size;

        assert_int_equal(varlink_call_encode(method, parameters, more, &text, &size), 0);
        send_bytes(c, text, size);
        free(text);
}

/* What is there now; false if there is no whole message. */
static bool take_reply(struct client *c)
{
        const char *text;
        size_t size;
        char data[65536];
        ssize_t n;

        while (varlink_input_next(&c->in, &text, &size) != 0) {
                n = recv(c->fd, data, sizeof(data), 0);
                c->closed = c->closed || n == 0 || (n < 0 && errno != EAGAIN);
                if (n <= 0)
                        return false;
                assert_int_equal(varlink_input_feed(&c->in, data, (size_t)n), 0);
        }
        varlink_reply_done(&c->reply);
        assert_int_equal(varlink_reply_parse(text, size, &c->reply), 0);
        return true;
}

/* The parameters of the next reply; runs the loop until it has come. */
static json_t *expect_reply(struct client *c)
{
        uint64_t deadline = now_usec() + PATIENCE;

        while (!take_reply(c)) {
                if (c->closed)
                        fail_msg("the server has hung up, where a reply was expected");
                if (now_usec() > deadline)
                        fail_msg("no reply within %llu s", (unsigned long long)(PATIENCE / USEC_PER_SEC));
                sd_event_run(w.event, 10 * USEC_PER_MSEC);
        }
        return c->reply.parameters;
}

static void expect_error(struct client *c, const char *error, const char *key, const char *value)
{
        json_t *parameters = expect_reply(c);

        assert_non_null(c->reply.error);
        assert_string_equal(c->reply.error, error);
        assert_string_equal(json_string_value(json_object_get(parameters, key)), value);
        assert_false(c->reply.continues);
}

static void expect_hang_up(struct client *c)
{
        uint64_t deadline = now_usec() + PATIENCE;

        while (!c->closed) {
                take_reply(c);
                assert_true(now_usec() < deadline);
                sd_event_run(w.event, 10 * USEC_PER_MSEC);
        }
}

/* Nothing is due and no timer runs: the loop would sleep. */
static void expect_idle(void)
{
        settle();
        assert_int_equal(sd_event_run(w.event, 3 * SERVER_PROGRESS_USEC), 0);
}

static const char *slot_name(json_t *parameters, size_t i)
{
        return json_string_value(
                json_object_get(json_array_get(json_object_get(parameters, "slots"), i), "slot"));
}

static const char *slot_phase(json_t *parameters, size_t i)
{
        return json_string_value(
                json_object_get(json_array_get(json_object_get(parameters, "slots"), i), "phase"));
}

static json_int_t slot_bytes(json_t *parameters, size_t i)
{
        return json_integer_value(
                json_object_get(json_array_get(json_object_get(parameters, "slots"), i), "bytes_done"));
}

static size_t n_of(json_t *parameters, const char *key)
{
        return json_array_size(json_object_get(parameters, key));
}

static struct client *watch(void)
{
        struct client *c = connect_client();
        json_t *status;

        call_method(c, STATION "Status", NULL, true);
        status = expect_reply(c);
        assert_true(json_is_true(json_object_get(status, "whole")));
        assert_true(c->reply.continues);
        return c;
}

/* ---- the protocol ---- */

static void test_the_service_says_what_it_is(void **state)
{
        struct client *c = connect_client();
        json_t *info;

        (void)state;
        call_method(c, SERVICE "GetInfo", NULL, false);
        info = expect_reply(c);
        assert_string_equal(json_string_value(json_object_get(info, "product")), "espdfud");
        assert_int_equal(n_of(info, "interfaces"), 2);

        call_method(c, SERVICE "GetInterfaceDescription", json_pack("{s:s}", "interface", STATION_INTERFACE),
                    false);
        assert_string_equal(json_string_value(json_object_get(expect_reply(c), "description")),
                            station_interface_text);
        call_method(c, SERVICE "GetInterfaceDescription",
                    json_pack("{s:s}", "interface", "org.varlink.service"), false);
        assert_string_equal(json_string_value(json_object_get(expect_reply(c), "description")),
                            service_interface_text);
        call_method(c, SERVICE "GetInterfaceDescription", json_pack("{s:s}", "interface", "a.b"), false);
        expect_error(c, SERVICE "InterfaceNotFound", "interface", "a.b");
        hang_up(c);
}

static void test_the_description_is_the_document_to_the_byte(void **state)
{
        char text[32 * 1024];
        size_t size;
        FILE *f = fopen(TOP_SRCDIR "/docs/io.espdfu.Station1.varlink", "re");

        (void)state;
        assert_non_null(f);
        size = fread(text, 1, sizeof(text) - 1, f);
        fclose(f);
        text[size] = '\0';
        assert_string_equal(station_interface_text, text);
}

static void test_what_is_not_there_is_named(void **state)
{
        struct client *c = connect_client();

        (void)state;
        call_method(c, STATION "Fly", NULL, false);
        expect_error(c, SERVICE "MethodNotFound", "method", STATION "Fly");
        call_method(c, "org.example.Status", NULL, false);
        expect_error(c, SERVICE "InterfaceNotFound", "interface", "org.example");
        call_method(c, "Status", NULL, false);
        expect_error(c, SERVICE "InterfaceNotFound", "interface", "");
        call_method(c, STATION "History", json_pack("{s:s}", "limit", "7"), false);
        expect_error(c, SERVICE "InvalidParameter", "parameter", "limit");
        call_method(c, STATION "Explain", json_pack("{s:i}", "were", 1), false);
        expect_error(c, SERVICE "InvalidParameter", "parameter", "were");
        call_method(c, STATION "Explain", json_pack("{s:s}", "where", "Z9"), false);
        expect_error(c, STATION "NoSuchSlot", "where", "Z9");
        call(c, "{\"method\":\"" STATION "Status\",\"upgrade\":true}");
        expect_error(c, SERVICE "MethodNotImplemented", "method", STATION "Status");
        hang_up(c);
}

static void test_the_station_is_shown_whole(void **state)
{
        struct client *c = connect_client();
        json_t *status;

        (void)state;
        call_method(c, STATION "Status", NULL, false);
        status = expect_reply(c);
        assert_false(c->reply.continues);
        assert_int_equal(n_of(status, "slots"), 5);
        assert_int_equal(n_of(status, "policies"), 2);
        assert_string_equal(slot_name(status, 3), "A4");
        assert_string_equal(slot_phase(status, 4), "no-policy");
        call_method(c, STATION "Explain", json_pack("{s:s}", "where", "A2"), false);
        assert_int_equal(n_of(expect_reply(c), "explanations"), 1);
        hang_up(c);
}

static void test_a_station_that_cannot_answer_says_why(void **state)
{
        struct client *c = connect_client();

        (void)state;
        w.station.error = -EIO;
        call_method(c, STATION "Status", NULL, true);
        expect_error(c, STATION "Failed", "message", strerror(EIO));
        call_method(c, STATION "History", NULL, true);
        expect_error(c, STATION "Failed", "message", strerror(EIO));
        hang_up(c);
}

static void test_calls_in_one_breath_are_answered_in_order(void **state)
{
        static const char calls[] = "{\"method\":\"" SERVICE "GetInfo\"}\0"
                                    "{\"method\":\"" STATION "Fly\"}\0"
                                    "{\"method\":\"" STATION
                                    "History\",\"parameters\":{\"limit\":120},\"more\":true}\0"
                                    "{\"method\":\"" STATION "Status\"}\0"
                                    "{\"method\":\"" STATION "Reload\",\"oneway\":true}\0"
                                    "{\"method\":\"" STATION "Explain\",\"parameters\":{\"where\":\"A1\"}}";
        struct client *c = connect_client();

        (void)state;
        send_bytes(c, calls, sizeof(calls));
        assert_int_equal(n_of(expect_reply(c), "interfaces"), 2);
        expect_error(c, SERVICE "MethodNotFound", "method", STATION "Fly");
        assert_int_equal(n_of(expect_reply(c), "attempts"), 50);
        assert_int_equal(n_of(expect_reply(c), "attempts"), 50);
        assert_int_equal(n_of(expect_reply(c), "attempts"), 20);
        assert_false(c->reply.continues);
        assert_int_equal(n_of(expect_reply(c), "slots"), 5);
        assert_int_equal(n_of(expect_reply(c), "explanations"), 1);
        hang_up(c);
}

static void test_a_call_may_come_byte_by_byte(void **state)
{
        static const char text[] = "{\"method\":\"" SERVICE "GetInfo\"}";
        struct client *c = connect_client();

        (void)state;
        for (size_t i = 0; i < sizeof(text); i++)
                send_bytes(c, text + i, 1);
        expect_reply(c);
        hang_up(c);
}

static void test_a_caller_who_says_no_more_is_still_answered(void **state)
{
        struct client *c = connect_client();

        (void)state;
        call_method(c, STATION "Status", NULL, false);
        call_method(c, SERVICE "GetInfo", NULL, false);
        shutdown(c->fd, SHUT_WR);
        assert_int_equal(n_of(expect_reply(c), "slots"), 5);
        assert_int_equal(n_of(expect_reply(c), "interfaces"), 2);
        expect_hang_up(c);
        settle();
        assert_int_equal(server_n_connections(w.server), 0);
        hang_up(c);
}

static void test_one_way_means_no_answer_but_it_is_done(void **state)
{
        struct client *c = connect_as(0, true);

        (void)state;
        call(c, "{\"method\":\"" STATION "Reload\",\"oneway\":true}");
        hang_up(c);
        assert_int_equal(w.station.n_reloads, 1);
        assert_int_equal(server_n_connections(w.server), 0);
}

static void test_nonsense_ends_the_connection(void **state)
{
        static const char *const texts[] = { "",
                                             "hello",
                                             "[]",
                                             "{\"method\":7}",
                                             "{\"method\":\"a.B\"}}",
                                             "{\"method\":\"a.B\",\"method\":\"a.B\"}" };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                struct client *c = connect_client();

                call(c, texts[i]);
                expect_hang_up(c);
                assert_null(c->reply.message);
                hang_up(c);
        }
        assert_int_equal(server_n_connections(w.server), 0);
}

static void test_a_message_without_end_ends_the_connection(void **state)
{
        static char much[VARLINK_REQUEST_MAX + 1];
        struct client *c = connect_client();

        (void)state;
        memset(much, ' ', sizeof(much));
        send_bytes(c, much, sizeof(much));
        expect_hang_up(c);
        hang_up(c);
}

/* ---- who may ---- */

static void test_everybody_may_look_and_few_may_act(void **state)
{
        struct client *c = connect_as(1000, false);
        char *lines[] = { TEXT("line3.conf:14: attempts = 0: expected 1 to 20") };

        (void)state;
        call_method(c, STATION "Reload", NULL, false);
        expect_error(c, STATION "NotPermitted", "method", STATION "Reload");
        assert_int_equal(w.station.n_reloads, 0);
        call_method(c, STATION "Status", NULL, false);
        assert_int_equal(n_of(expect_reply(c), "slots"), 5);
        hang_up(c);

        c = connect_as(1001, true);
        call_method(c, STATION "Reload", NULL, false);
        assert_int_equal(json_integer_value(json_object_get(expect_reply(c), "slots")), 5);
        assert_int_equal(w.station.n_reloads, 1);
        w.station.reload = (struct reload_result){ .errors = lines, .n_errors = 1 };
        call_method(c, STATION "Reload", NULL, false);
        assert_int_equal(n_of(expect_reply(c), "errors"), 1);
        assert_string_equal(c->reply.error, STATION "ReloadRefused");
        hang_up(c);
}

static void test_the_kernel_says_who_is_there(void **state)
{
        struct server_peer peer;
        int pair[2];

        (void)state;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(peer_of(pair[0], (gid_t)-1, &peer), 0);
        assert_int_equal(peer.uid, getuid());
        assert_int_equal(peer.pid, getpid());
        assert_true(peer.may_act); /* the daemon's own user */
        close(pair[0]);
        close(pair[1]);
}

static void test_no_user_takes_all_places_and_some_are_kept(void **state)
{
        struct client *clients[SERVER_CONNECTIONS_MAX] = { NULL }, *c;
        size_t n = 0;

        (void)state;
        for (; n < SERVER_CONNECTIONS_USER_MAX; n++)
                clients[n] = connect_as(1000, false);
        assert_int_equal(server_n_connections(w.server), SERVER_CONNECTIONS_USER_MAX);
        c = connect_as(1000, false);
        expect_hang_up(c);
        hang_up(c);

        for (; n < SERVER_CONNECTIONS_MAX - SERVER_CONNECTIONS_RESERVED; n++)
                clients[n] = connect_as(2000 + (uid_t)n / 10, false);
        c = connect_as(3000, false);
        expect_hang_up(c);
        hang_up(c);

        for (; n < SERVER_CONNECTIONS_MAX; n++)
                clients[n] = connect_as(0, true);
        assert_int_equal(server_n_connections(w.server), SERVER_CONNECTIONS_MAX);
        c = connect_as(4000, true);
        expect_hang_up(c);
        hang_up(c);

        call_method(clients[0], SERVICE "GetInfo", NULL, false);
        expect_reply(clients[0]);
        hang_up(clients[0]);
        clients[0] = connect_as(1000, false);
        assert_int_equal(server_n_connections(w.server), SERVER_CONNECTIONS_MAX);
        for (size_t i = 0; i < n; i++)
                hang_up(clients[i]);
        assert_int_equal(server_n_connections(w.server), 0);
}

/* ---- watching ---- */

static void test_a_phase_is_told_at_once_and_every_phase_is_told(void **state)
{
        static const enum phase phases[] = { PHASE_VERIFYING, PHASE_FLASHED, PHASE_EMPTY };
        struct client *c = watch();
        json_t *change;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(phases); i++) {
                fake_station_slot(&w.station, "A1")->phase = phases[i];
                server_slot_changed(w.server, "A1", true);
        }
        for (size_t i = 0; i < ARRAY_SIZE(phases); i++) {
                change = expect_reply(c);
                assert_true(c->reply.continues);
                assert_false(json_is_true(json_object_get(change, "whole")));
                assert_true(json_is_null(json_object_get(change, "policies")));
                assert_int_equal(n_of(change, "slots"), 1);
                assert_string_equal(slot_name(change, 0), "A1");
                assert_string_equal(slot_phase(change, 0), phase_to_string(phases[i]));
        }
        expect_idle();
        hang_up(c);
}

static void test_progress_is_gathered(void **state)
{
        struct client *c = watch(), *d = watch();
        uint64_t begin = now_usec();
        json_t *change;

        (void)state;
        for (uint64_t bytes = 1; bytes <= 1000; bytes++) {
                fake_station_slot(&w.station, "A1")->bytes_done = bytes;
                server_slot_changed(w.server, "A1", false);
                fake_station_slot(&w.station, "A2")->bytes_done = 2 * bytes;
                server_slot_changed(w.server, "A2", false);
        }
        assert_false(take_reply(c));
        change = expect_reply(c);
        assert_true(now_usec() - begin >= SERVER_PROGRESS_USEC);
        assert_int_equal(n_of(change, "slots"), 2);
        assert_int_equal(slot_bytes(change, 0), 1000);
        assert_int_equal(slot_bytes(change, 1), 2000);
        assert_int_equal(n_of(expect_reply(d), "slots"), 2);
        expect_idle();
        assert_false(take_reply(c));
        hang_up(c);
        hang_up(d);
}

static void test_a_slot_that_is_no_more_is_told(void **state)
{
        struct client *c = watch();
        json_t *change;

        (void)state;
        server_slot_changed(w.server, "A3", false);
        fake_station_remove(&w.station, "A3");
        server_slot_changed(w.server, "A3", true);
        change = expect_reply(c);
        assert_int_equal(n_of(change, "slots"), 0);
        assert_string_equal(json_string_value(json_array_get(json_object_get(change, "gone"), 0)), "A3");
        hang_up(c);
}

static void test_after_a_reload_the_whole_station_is_told(void **state)
{
        struct client *c = watch();
        json_t *change;

        (void)state;
        w.station.n_policies = 1;
        server_changed(w.server);
        change = expect_reply(c);
        assert_true(json_is_true(json_object_get(change, "whole")));
        assert_int_equal(n_of(change, "policies"), 1);
        assert_int_equal(n_of(change, "slots"), 5);
        hang_up(c);
}

static void test_nobody_watches_and_nothing_wakes(void **state)
{
        struct client *c;

        (void)state;
        server_slot_changed(w.server, "A1", false);
        server_slot_changed(w.server, "A1", true);
        server_changed(w.server);
        expect_idle();
        c = watch();
        expect_idle();
        assert_false(take_reply(c));
        hang_up(c);
        expect_idle();
}

static void test_a_watcher_with_one_ear_closed_does_not_spin_the_loop(void **state)
{
        struct client *c = watch();

        (void)state;
        shutdown(c->fd, SHUT_WR);
        expect_idle();
        server_slot_changed(w.server, "A1", true);
        assert_string_equal(slot_name(expect_reply(c), 0), "A1");
        hang_up(c);
        assert_int_equal(server_n_connections(w.server), 0);
}

static void test_a_reader_who_sleeps_misses_progress_but_stays(void **state)
{
        struct client *c;
        json_t *change = NULL;

        (void)state;
        fake_station_many(&w.station, 120);
        c = watch();
        for (uint64_t bytes = 1; bytes <= 40; bytes++) {
                uint64_t until = now_usec() + SERVER_PROGRESS_USEC + 20 * USEC_PER_MSEC;

                for (size_t i = 0; i < 120; i++) {
                        w.station.slots[i].bytes_done = bytes;
                        server_slot_changed(w.server, w.station.slots[i].slot, false);
                }
                while (bytes <= 8 && now_usec() < until) /* 8 ticks are over a socket's buffer */
                        sd_event_run(w.event, 10 * USEC_PER_MSEC);
        }
        assert_int_equal(server_n_connections(w.server), 1);
        for (unsigned n = 0; !change || slot_bytes(change, 0) < 40; n++) {
                change = expect_reply(c);
                assert_true(n < 12);
        }
        expect_idle();
        hang_up(c);
}

static void test_a_reader_who_would_miss_a_phase_is_disconnected(void **state)
{
        struct client *sleeper = watch(), *awake = watch();
        size_t told = 0; /* bytes */

        (void)state;
        while (told < 4 * SERVER_UNSENT_MAX && server_n_connections(w.server) == 2) {
                server_slot_changed(w.server, "A1", true);
                assert_string_equal(slot_name(expect_reply(awake), 0), "A1");
                told += json_dumpb(awake->reply.message, NULL, 0, JSON_COMPACT);
                settle();
        }
        assert_int_equal(server_n_connections(w.server), 1);
        assert_true(told > SERVER_UNSENT_MAX);
        expect_hang_up(sleeper);
        server_slot_changed(w.server, "A2", true);
        assert_string_equal(slot_name(expect_reply(awake), 0), "A2");
        hang_up(sleeper);
        hang_up(awake);
}

/* ---- history ---- */

static void test_history_is_read_as_its_reader_drains_it(void **state)
{
        struct client *c = connect_client();
        json_int_t expected = 5000;
        unsigned asked;

        (void)state;
        w.station.n_attempts = 5000;
        call_method(c, STATION "History", NULL, true);
        settle();
        asked = w.station.n_history;
        assert_true(asked < 50); /* of 100 pages: the reader has not read */
        do {
                json_t *attempts = json_object_get(expect_reply(c), "attempts");

                for (size_t i = 0; i < json_array_size(attempts); i++, expected--)
                        assert_int_equal(
                                json_integer_value(json_object_get(json_array_get(attempts, i), "id")),
                                expected);
        } while (c->reply.continues);
        assert_int_equal(expected, 0);
        hang_up(c);
}

static void test_history_without_more_is_bounded_and_filtered(void **state)
{
        struct client *c = connect_client();
        json_t *attempts;

        (void)state;
        call_method(c, STATION "History", NULL, false);
        assert_int_equal(n_of(expect_reply(c), "attempts"), 100);
        assert_false(c->reply.continues);
        call_method(c, STATION "History", json_pack("{s:s, s:i}", "slot", "A2", "limit", 3), false);
        attempts = json_object_get(expect_reply(c), "attempts");
        assert_int_equal(json_array_size(attempts), 3);
        assert_string_equal(json_string_value(json_object_get(json_array_get(attempts, 0), "slot")), "A2");
        call_method(c, STATION "History", json_pack("{s:s}", "mac", "00:00:00:00:00:00"), true);
        assert_int_equal(n_of(expect_reply(c), "attempts"), 0);
        assert_false(c->reply.continues);
        hang_up(c);
}

static void test_a_reader_who_leaves_in_the_middle_is_forgotten(void **state)
{
        struct client *c = connect_client();

        (void)state;
        w.station.n_attempts = 5000;
        call_method(c, STATION "History", NULL, true);
        expect_reply(c);
        hang_up(c);
        expect_idle();
        assert_int_equal(server_n_connections(w.server), 0);
}

static void test_who_calls_and_never_reads_holds_little(void **state)
{
        struct client *c = connect_client();
        unsigned sent = 0;
        static const char text[] = "{\"method\":\"" STATION "Status\"}";

        (void)state;
        fake_station_many(&w.station, 120);
        /* Until neither side takes any more: the server stops reading while its answer waits. */
        while (send(c->fd, text, sizeof(text), MSG_NOSIGNAL) == (ssize_t)sizeof(text)) {
                settle();
                assert_true(++sent < 100000);
        }
        settle();
        assert_int_equal(server_n_connections(w.server), 1);
        expect_idle();
        hang_up(c);
}

/* ---- the socket itself ---- */

static void test_a_second_daemon_is_refused(void **state)
{
        struct server *second = NULL;

        (void)state;
        assert_int_equal(server_new(w.event, &w.options, &fake_station_ops, &w.station, &second),
                         -EADDRINUSE);
        assert_null(second);
        settle();
        hang_up(watch()); /* the first one is unharmed */
}

static void test_a_socket_that_a_dead_daemon_left_is_replaced(void **state)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        struct stat st;
        int fd;

        (void)state;
        w.server = server_free(w.server);
        memcpy(address.sun_path, w.path, strlen(w.path) + 1);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        close(fd);
        assert_int_equal(server_new(w.event, &w.options, &fake_station_ops, &w.station, &w.server), 0);
        assert_int_equal(stat(w.path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0666);
        hang_up(watch());
}

static void test_a_file_that_is_no_socket_is_left_alone(void **state)
{
        struct server *second = NULL;
        int fd;

        (void)state;
        w.server = server_free(w.server);
        fd = open(w.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        close(fd);
        assert_int_equal(server_new(w.event, &w.options, &fake_station_ops, &w.station, &second), -EEXIST);
        assert_int_equal(unlink(w.path), 0);
}

static void test_a_socket_that_systemd_opened_is_served_and_stays(void **state)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        (void)state;
        w.server = server_free(w.server);
        memcpy(address.sun_path, w.path, strlen(w.path) + 1);
        w.options.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(w.options.fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(server_new(w.event, &w.options, &fake_station_ops, &w.station, &w.server), -EINVAL);
        assert_int_equal(listen(w.options.fd, 8), 0);
        assert_int_equal(server_new(w.event, &w.options, &fake_station_ops, &w.station, &w.server), 0);
        hang_up(watch());
        w.server = server_free(w.server);
        assert_int_equal(unlink(w.path), 0); /* systemd's, not ours to remove */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
        static const struct CMUnitTest tests[] = {
                TEST(test_the_service_says_what_it_is),
                TEST(test_the_description_is_the_document_to_the_byte),
                TEST(test_what_is_not_there_is_named),
                TEST(test_the_station_is_shown_whole),
                TEST(test_a_station_that_cannot_answer_says_why),
                TEST(test_calls_in_one_breath_are_answered_in_order),
                TEST(test_a_call_may_come_byte_by_byte),
                TEST(test_a_caller_who_says_no_more_is_still_answered),
                TEST(test_one_way_means_no_answer_but_it_is_done),
                TEST(test_nonsense_ends_the_connection),
                TEST(test_a_message_without_end_ends_the_connection),
                TEST(test_everybody_may_look_and_few_may_act),
                TEST(test_the_kernel_says_who_is_there),
                TEST(test_no_user_takes_all_places_and_some_are_kept),
                TEST(test_a_phase_is_told_at_once_and_every_phase_is_told),
                TEST(test_progress_is_gathered),
                TEST(test_a_slot_that_is_no_more_is_told),
                TEST(test_after_a_reload_the_whole_station_is_told),
                TEST(test_nobody_watches_and_nothing_wakes),
                TEST(test_a_watcher_with_one_ear_closed_does_not_spin_the_loop),
                TEST(test_a_reader_who_sleeps_misses_progress_but_stays),
                TEST(test_a_reader_who_would_miss_a_phase_is_disconnected),
                TEST(test_history_is_read_as_its_reader_drains_it),
                TEST(test_history_without_more_is_bounded_and_filtered),
                TEST(test_a_reader_who_leaves_in_the_middle_is_forgotten),
                TEST(test_who_calls_and_never_reads_holds_little),
                TEST(test_a_second_daemon_is_refused),
                TEST(test_a_socket_that_a_dead_daemon_left_is_replaced),
                TEST(test_a_file_that_is_no_socket_is_left_alone),
                TEST(test_a_socket_that_systemd_opened_is_served_and_stays),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
