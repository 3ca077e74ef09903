/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The server, with peers that behave and peers that do not, in one event loop. */
#include "tests/daemon/peers.h"

#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/interface.h"
#include "daemon/peer.h"

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

/* A flood that was killed does not keep the daemon busy with answers that nobody reads. */
static void test_questions_of_who_has_left_are_not_asked(void **state)
{
        static const char ask[] = "{\"method\":\"" STATION "History\"}";
        struct client *c = connect_as(0, true);

        (void)state;
        for (unsigned i = 0; i < 100; i++)
                assert_int_equal(send(c->fd, ask, sizeof(ask), MSG_NOSIGNAL), sizeof(ask));
        call(c, "{\"method\":\"" STATION "Reload\",\"oneway\":true}");
        hang_up(c);
        assert_true(w.station.n_history <= 3);    /* while the last call was sent */
        assert_int_equal(w.station.n_reloads, 1); /* but what it told is done */
        assert_int_equal(server_n_connections(w.server), 0);
}

/* It is told what was expected, and then the connection ends. */
static void expect_cut_off(struct client *c, const char *what)
{
        const char *message;

        expect_hang_up(c);
        assert_non_null(c->reply.error);
        assert_string_equal(c->reply.error, STATION "Failed");
        message = json_string_value(json_object_get(c->reply.parameters, "message"));
        assert_non_null(message);
        assert_memory_equal(message, what, strlen(what));
        assert_non_null(strstr(message, ": expected calls, JSON objects of at most 65536 bytes"));
        hang_up(c);
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
                expect_cut_off(c, "what came is no call");
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
        expect_cut_off(c, "a call that is too long");
}

static void test_a_call_that_does_not_end_has_a_time_limit(void **state)
{
        static const char text[] = "{\"method\":\"" SERVICE "GetInfo\"}";
        struct client *slow = connect_client(), *patient = connect_client();
        uint64_t begun = now_usec();

        (void)state;
        w.options.call_usec = 300 * USEC_PER_MSEC;
        for (size_t i = 0; !slow->closed; i++) {
                send_bytes(slow, &text[i % 8], 1); /* it goes on and on, and that does not help it */
                take_reply(slow);
                sd_event_run(w.event, 20 * USEC_PER_MSEC);
                assert_true(now_usec() < begun + PATIENCE);
        }
        assert_true(now_usec() >= begun + w.options.call_usec);
        expect_cut_off(slow, "a call that does not end");
        /* Between calls there is no limit, and a whole call meets none. */
        call_method(patient, SERVICE "GetInfo", NULL, false);
        expect_reply(patient);
        expect_idle();
        send_bytes(patient, text, 8);
        send_bytes(patient, text + 8, sizeof(text) - 8);
        expect_reply(patient);
        expect_idle();
        sd_event_run(w.event, 2 * w.options.call_usec);
        assert_false(take_reply(patient));
        assert_false(patient->closed);
        hang_up(patient);
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

/* Connects as nobody with one more group, and waits to be let go. */
static void stranger(const struct sockaddr_un *address, socklen_t size, gid_t group)
{
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        char byte;

        if (setgroups(1, &group) < 0 || setgid(54321) < 0 || setuid(65534) < 0 ||
            connect(fd, (const struct sockaddr *)address, size) < 0)
                _exit(1);
        _exit(read(fd, &byte, 1) != 0);
}

static void test_a_member_of_the_group_may_act(void **state)
{
        const struct timeval limit = { .tv_sec = 5 }; /* for a child that fails */
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        socklen_t size = sizeof(address);
        struct server_peer peer;
        int listening, fd, status;
        pid_t child;

        (void)state;
        if (geteuid() != 0)
                skip(); /* only root can be somebody else */
        listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        /* A name without a file, of the kernel's choice. */
        assert_int_equal(bind(listening, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
        assert_int_equal(setsockopt(listening, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
        assert_int_equal(listen(listening, 1), 0);
        assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &size), 0);
        child = fork();
        assert_true(child >= 0);
        if (child == 0)
                stranger(&address, size, 12345);
        fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(peer_of(fd, (gid_t)-1, &peer), 0);
        assert_int_equal(peer.uid, 65534);
        assert_int_equal(peer.pid, child);
        assert_false(peer.may_act);
        assert_int_equal(peer_of(fd, 12346, &peer), 0);
        assert_false(peer.may_act);
        assert_int_equal(peer_of(fd, 12345, &peer), 0); /* SO_PEERGROUPS */
        assert_true(peer.may_act);
        assert_int_equal(peer_of(fd, 54321, &peer), 0); /* the primary group */
        assert_true(peer.may_act);
        close(fd);
        close(listening);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
}

/* How many connections the server takes of a user; it says why not of the first that it does not take. */
static size_t come_all(uid_t uid, bool may_act, struct client **clients, const char *why)
{
        size_t n = 0;

        for (;;) {
                struct client *c = connect_as(uid, may_act);

                if (!take_reply(c)) {
                        clients[n++] = c;
                        continue;
                }
                assert_string_equal(c->reply.error, STATION "Busy");
                assert_string_equal(json_string_value(json_object_get(c->reply.parameters, "message")), why);
                expect_hang_up(c);
                hang_up(c);
                return n;
        }
}

static void test_no_user_takes_all_places_and_who_is_turned_away_is_told_why(void **state)
{
        static const char of_user[] = "this user has as many connections as one may have";
        static const char most[] = "most places are taken, and this user has some";
        struct client *clients[ADMISSION_CONNECTIONS_MAX] = { NULL };
        size_t n = 0;

        (void)state;
        for (uid_t uid = 1000; uid < 1004; uid++)
                n += come_all(uid, false, clients + n, of_user);
        assert_int_equal(n, 64);
        n += come_all(1004, false, clients + n, most);
        assert_int_equal(n, 68);
        /* The group and root are not kept out by it. */
        n += come_all(1005, true, clients + n, of_user);
        assert_int_equal(n, 84);
        n += come_all(0, true, clients + n, "all places are taken");
        assert_int_equal(n, ADMISSION_CONNECTIONS_MAX);
        assert_int_equal(server_n_connections(w.server), ADMISSION_CONNECTIONS_MAX);

        call_method(clients[0], SERVICE "GetInfo", NULL, false);
        expect_reply(clients[0]);
        for (size_t i = 0; i < n; i++)
                hang_up(clients[i]);
        assert_int_equal(server_n_connections(w.server), 0);
}

/* A user's script that hangs up and connects again may do so faster than the loop comes round. */
static void test_place_of_who_has_just_left_is_free(void **state)
{
        struct client *clients[16], *c;
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
                clients[i] = connect_as(1000, false);
        c = calloc(1, sizeof(*c));
        assert_non_null(c);
        c->in.limit = VARLINK_REPLY_MAX;
        c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        memcpy(address.sun_path, w.path, strlen(w.path) + 1);
        assert_int_equal(connect(c->fd, (struct sockaddr *)&address, sizeof(address)), 0);
        close(clients[0]->fd); /* both are there before the loop looks */
        clients[0]->fd = -1;
        call_method(c, SERVICE "GetInfo", NULL, false);
        expect_reply(c);
        assert_null(c->reply.error);
        hang_up(c);
        for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
                hang_up(clients[i]);
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

/* In the server's place, which is free. */
static int bind_a_socket(void)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        memcpy(address.sun_path, w.path, strlen(w.path) + 1);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        return fd;
}

static void test_a_socket_that_a_dead_daemon_left_is_replaced(void **state)
{
        struct stat st;
        int fd;

        (void)state;
        w.server = server_free(w.server);
        fd = bind_a_socket();
        close(fd);
        assert_int_equal(server_new(w.event, &w.options, &fake_station_ops, &w.station, &w.server), 0);
        assert_int_equal(stat(w.path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0666);
        hang_up(watch());
}

/* As a process does that a daemon had started, for the moment that it takes to die with it. */
static void test_a_socket_that_a_dead_daemon_left_is_replaced_while_somebody_has_it_open(void **state)
{
        int fd, status;
        pid_t listener;

        (void)state;
        w.server = server_free(w.server);
        fd = bind_a_socket();
        listener = fork();
        if (listener == 0)
                _exit(listen(fd, 5) < 0);
        assert_int_equal(waitpid(listener, &status, 0), listener);
        assert_int_equal(status, 0);
        assert_int_equal(server_new(w.event, &w.options, &fake_station_ops, &w.station, &w.server), 0);
        close(fd);
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
                TEST(test_questions_of_who_has_left_are_not_asked),
                TEST(test_nonsense_ends_the_connection),
                TEST(test_a_message_without_end_ends_the_connection),
                TEST(test_everybody_may_look_and_few_may_act),
                TEST(test_the_kernel_says_who_is_there),
                TEST(test_a_member_of_the_group_may_act),
                TEST(test_no_user_takes_all_places_and_who_is_turned_away_is_told_why),
                TEST(test_place_of_who_has_just_left_is_free),
                TEST(test_a_call_that_does_not_end_has_a_time_limit),
                TEST(test_a_second_daemon_is_refused),
                TEST(test_a_socket_that_a_dead_daemon_left_is_replaced),
                TEST(test_a_socket_that_a_dead_daemon_left_is_replaced_while_somebody_has_it_open),
                TEST(test_a_file_that_is_no_socket_is_left_alone),
                TEST(test_a_socket_that_systemd_opened_is_served_and_stays),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
