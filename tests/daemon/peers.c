/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/daemon/peers.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "daemon/log.h"

struct world w;

static int fake_peer(int fd, gid_t group, struct server_peer *ret)
{
        (void)fd;
        (void)group;
        *ret = w.peer;
        return 0;
}

int set_up(void **state)
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

int tear_down(void **state)
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

uint64_t now_usec(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

void settle(void)
{
        while (sd_event_run(w.event, 0) > 0)
                ;
}

struct client *connect_unseen(void)
{
        struct client *c = calloc(1, sizeof(*c));
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        assert_non_null(c);
        c->in.limit = VARLINK_REPLY_MAX;
        memcpy(address.sun_path, w.path, strlen(w.path) + 1);
        c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_true(c->fd >= 0);
        assert_int_equal(connect(c->fd, (struct sockaddr *)&address, sizeof(address)), 0);
        return c;
}

struct client *connect_client(void)
{
        struct client *c = connect_unseen();

        settle();
        return c;
}

struct client *connect_as(uid_t uid, bool may_act)
{
        w.peer = (struct server_peer){ .uid = uid, .may_act = may_act };
        return connect_client();
}

void hang_up(struct client *c)
{
        varlink_reply_done(&c->reply);
        varlink_input_done(&c->in);
        if (c->fd >= 0)
                close(c->fd);
        free(c);
        settle();
}

void send_bytes(struct client *c, const void *data, size_t size)
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

void call(struct client *c, const char *text)
{
        send_bytes(c, text, strlen(text) + 1);
}

void call_method(struct client *c, const char *method, json_t *parameters, bool more)
{
        char *text;
        size_t size;

        assert_int_equal(varlink_call_encode(method, parameters, more, &text, &size), 0);
        send_bytes(c, text, size);
        free(text);
}

bool take_reply(struct client *c)
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

json_t *expect_reply(struct client *c)
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

void expect_error(struct client *c, const char *error, const char *key, const char *value)
{
        json_t *parameters = expect_reply(c);

        assert_non_null(c->reply.error);
        assert_string_equal(c->reply.error, error);
        assert_string_equal(json_string_value(json_object_get(parameters, key)), value);
        assert_false(c->reply.continues);
}

void expect_hang_up(struct client *c)
{
        uint64_t deadline = now_usec() + PATIENCE;

        while (!c->closed) {
                take_reply(c);
                assert_true(now_usec() < deadline);
                sd_event_run(w.event, 10 * USEC_PER_MSEC);
        }
}

void expect_idle(void)
{
        settle();
        assert_int_equal(sd_event_run(w.event, 3 * SERVER_PROGRESS_USEC), 0);
}

const char *slot_name(json_t *parameters, size_t i)
{
        return json_string_value(
                json_object_get(json_array_get(json_object_get(parameters, "slots"), i), "slot"));
}

const char *slot_phase(json_t *parameters, size_t i)
{
        return json_string_value(
                json_object_get(json_array_get(json_object_get(parameters, "slots"), i), "phase"));
}

json_int_t slot_bytes(json_t *parameters, size_t i)
{
        return json_integer_value(
                json_object_get(json_array_get(json_object_get(parameters, "slots"), i), "bytes_done"));
}

size_t n_of(json_t *parameters, const char *key)
{
        return json_array_size(json_object_get(parameters, key));
}

struct client *watch(void)
{
        struct client *c = connect_client();
        json_t *status;

        call_method(c, STATION "Status", NULL, true);
        status = expect_reply(c);
        assert_true(json_is_true(json_object_get(status, "whole")));
        assert_true(c->reply.continues);
        return c;
}
