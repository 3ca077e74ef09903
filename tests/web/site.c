/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/web/site.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_SEC 20
#define BEATS_MAX    4 /* one comes every 5 s without news */

struct site site;

/* ---- programs ---- */

static void lay_out(void)
{
        if (site.dir[0])
                return;
        snprintf(site.dir, sizeof(site.dir), "/tmp/test-web.XXXXXX");
        assert_non_null(mkdtemp(site.dir));
        snprintf(site.socket, sizeof(site.socket), "%s/socket", site.dir);
        snprintf(site.log, sizeof(site.log), "%s/log", site.dir);
}

/* In the child. */
static void become(const char *const *argv, int in, int out)
{
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (in >= 0)
                dup2(in, STDIN_FILENO);
        dup2(out, STDOUT_FILENO);
        execv(argv[0], (char **)(uintptr_t)argv);
        _exit(127);
}

void start_web(const char *const *options)
{
        const char *argv[16] = { ESPDFU_WEB, "--listen", "127.0.0.1:0", "--socket", site.socket };
        FILE *said;
        size_t n = 5;
        int out[2];

        lay_out();
        for (size_t i = 0; options && options[i] && n < ARRAY_SIZE(argv) - 1; i++)
                argv[n++] = options[i];
        assert_int_equal(pipe2(out, O_CLOEXEC), 0);
        site.web = fork();
        if (site.web == 0) {
                close(out[0]);
                if (!freopen(site.log, "a", stderr))
                        _exit(126);
                become(argv, -1, out[1]);
        }
        close(out[1]);
        said = fdopen(out[0], "r");
        assert_int_equal(fscanf(said, "espdfu-web: the page is on http://127.0.0.1:%u/", &site.port), 1);
        fclose(said);
}

static int end_of(pid_t *pid, int signal)
{
        int status = -1;

        if (*pid <= 0)
                return 0;
        if (signal)
                kill(*pid, signal);
        assert_int_equal(waitpid(*pid, &status, 0), *pid);
        *pid = 0;
        return status;
}

void stop_web(void)
{
        assert_int_equal(end_of(&site.web, SIGTERM), 0);
}

void start_station(void)
{
        const char *argv[] = { FAKE_ESPDFUD, site.socket, NULL };
        int in[2], out[2];
        char ready[16];

        lay_out();
        assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
        site.station = fork();
        if (site.station == 0) {
                close(in[1]);
                close(out[0]);
                become(argv, in[0], out[1]);
        }
        close(in[0]);
        close(out[1]);
        site.orders = fdopen(in[1], "w");
        site.obeyed = fdopen(out[0], "r");
        assert_non_null(fgets(ready, sizeof(ready), site.obeyed));
}

void stop_station(void)
{
        if (site.station <= 0)
                return;
        if (site.orders) {
                fclose(site.orders);
                fclose(site.obeyed);
                site.orders = site.obeyed = NULL;
                end_of(&site.station, 0);
        } else {
                end_of(&site.station, SIGKILL);
        }
        unlink(site.socket);
}

void tell(const char *order)
{
        char done[16];

        fprintf(site.orders, "%s\n", order);
        fflush(site.orders);
        assert_non_null(fgets(done, sizeof(done), site.obeyed));
}

static void talk_nonsense(int listening, const char *answer)
{
        char call[4096];

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_IGN);
        for (;;) {
                int fd = accept(listening, NULL, NULL);

                if (recv(fd, call, sizeof(call), 0) > 0 && send(fd, answer, strlen(answer) + 1, 0) > 0)
                        (void)recv(fd, call, sizeof(call), 0); /* until it hangs up */
                close(fd);
        }
}

void start_nonsense(const char *answer)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        lay_out();
        memcpy(address.sun_path, site.socket, strlen(site.socket) + 1);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(fd, 16), 0);
        site.station = fork();
        if (site.station == 0)
                talk_nonsense(fd, answer);
        close(fd);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        (void)st;
        (void)type;
        (void)ftw;
        return remove(path);
}

void end_site(void)
{
        stop_station();
        if (site.web > 0)
                end_of(&site.web, SIGTERM);
        if (site.dir[0])
                nftw(site.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        site = (struct site){ 0 };
}

/* ---- a browser ---- */

static int connect_with(const char *from, int buffer)
{
        const struct timeval limit = { .tv_sec = PATIENCE_SEC };
        struct sockaddr_in address = { .sin_family = AF_INET };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
        if (buffer > 0)
                setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
        if (from) {
                assert_int_equal(inet_pton(AF_INET, from, &address.sin_addr), 1);
                assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        }
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons((uint16_t)site.port);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        return fd;
}

int connect_from(const char *from)
{
        return connect_with(from, 0);
}

int connect_narrowly_from(const char *from)
{
        return connect_with(from, 2304); /* the least that Linux gives */
}

void send_text(int fd, const char *text)
{
        size_t size = strlen(text);

        while (size > 0) {
                ssize_t n = send(fd, text, size, MSG_NOSIGNAL);

                if (n < 0)
                        return; /* refused before its end */
                text += n;
                size -= (size_t)n;
        }
}

struct answer read_answer(int fd)
{
        struct answer answer = { .text = calloc(1, 65536) };
        size_t len = 0, allocated = 65536;
        ssize_t n;

        while ((n = recv(fd, answer.text + len, allocated - len - 1, 0)) > 0) {
                len += (size_t)n;
                if (allocated - len < 4096) {
                        answer.text = realloc(answer.text, allocated *= 2);
                        assert_non_null(answer.text);
                }
        }
        if (n < 0 && errno == EAGAIN)
                fail_msg("no answer within %d s", PATIENCE_SEC);
        close(fd);
        answer.text[len] = '\0';
        sscanf(answer.text, "HTTP/1.%*d %d", &answer.status);
        answer.body = strstr(answer.text, "\r\n\r\n");
        answer.body = answer.body ? answer.body + 4 : "";
        return answer;
}

void answer_done(struct answer *answer)
{
        free(take_ptr(answer->text));
}

struct answer request(const char *method, const char *path, const char *headers)
{
        int fd = connect_from(NULL);
        char *text;

        assert_true(asprintf(&text, "%s %s HTTP/1.1\r\n%s%sConnection: close\r\n\r\n", method, path,
                             headers && str_has_prefix(headers, "Host:") ? "" : "Host: localhost\r\n",
                             headers ? headers : "") > 0);
        send_text(fd, text);
        free(text);
        return read_answer(fd);
}

void expect_answer(int status, const char *text, const char *method, const char *path, const char *headers)
{
        struct answer answer = request(method, path, headers);

        if (answer.status != status || !strstr(answer.text, text))
                fail_msg("%s %.200s %.200s: expected %d with '%s', got:\n%.2000s", method, path,
                         headers ? headers : "", status, text, answer.text);
        answer_done(&answer);
}

/* ---- a watcher ---- */

struct stream watch(const char *from)
{
        struct stream stream = { .fd = connect_from(from), .buffer = calloc(1, 1) };

        /* As of HTTP 1.0 the answer is not cut into chunks. */
        send_text(stream.fd, "GET /events HTTP/1.0\r\nHost: localhost\r\n\r\n");
        return stream;
}

void unwatch(struct stream *stream)
{
        close(stream->fd);
        free(take_ptr(stream->buffer));
}

static bool read_more(struct stream *s)
{
        ssize_t n;

        s->buffer = realloc(s->buffer, s->len + 16385);
        assert_non_null(s->buffer);
        n = recv(s->fd, s->buffer + s->len, 16384, 0);
        if (n < 0 && errno == EAGAIN)
                fail_msg("no event within %d s", PATIENCE_SEC);
        s->len += n > 0 ? (size_t)n : 0;
        s->buffer[s->len] = '\0';
        return n > 0;
}

json_t *next_event(struct stream *s)
{
        json_t *event = NULL;

        while (!event) {
                char *end = strstr(s->buffer, "\n\n"), *data;

                if (!end) {
                        if (!read_more(s))
                                return NULL;
                        continue;
                }
                *end = '\0';
                data = strstr(s->buffer, "data: {");
                if (data) {
                        event = json_loads(data + 6, 0, NULL);
                        assert_non_null(event);
                        s->n_events++;
                } else {
                        if (++s->n_beats > BEATS_MAX)
                                fail_msg("waited in vain for an event");
                }
                s->len -= (size_t)(end + 2 - s->buffer);
                memmove(s->buffer, end + 2, s->len + 1);
        }
        return event;
}

void expect_link(struct stream *stream, bool up, const char *text)
{
        for (;;) {
                json_t *event = next_event(stream), *link = json_object_get(event, "link");
                const char *why = json_string_value(json_object_get(link, "why"));
                bool is_up = json_is_true(json_object_get(link, "up")),
                     holds = is_up == up && (!text || (why && strstr(why, text)));

                if (!event)
                        fail_msg("the stream ended before the daemon was %s", up ? "heard" : "lost");
                json_decref(event);
                if (holds)
                        return;
        }
}

const json_t *slot_in(const json_t *event, const char *slot)
{
        json_t *item;
        size_t i;

        json_array_foreach(
                json_object_get(event, "slots"), i,
                item) if (streq_ptr(json_string_value(json_object_get(item, "slot")), slot)) return item;
        return NULL;
}

json_t *expect_slot(struct stream *stream, const char *slot, const char *phase)
{
        for (;;) {
                json_t *event = next_event(stream);

                if (!event)
                        fail_msg("the stream ended before %s was %s", slot, phase);
                if (streq_ptr(json_string_value(json_object_get(slot_in(event, slot), "phase")), phase))
                        return event;
                json_decref(event);
        }
}
