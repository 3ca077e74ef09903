/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/web/browser.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define START_LIMIT (60 * USEC_PER_SEC)
#define CALL_LIMIT  (60 * USEC_PER_SEC)
#define WAIT_MSEC   30000

struct browser {
        struct bed *bed;
        struct bed_child *driver;
        unsigned port;
        char *session; /* "/session/ID" */
};

/* One request, in a thread of its own: the bed goes on meanwhile. */
struct exchange {
        unsigned port;
        char *request;
        GString *answer;
        gint ended;
};

/* It keeps the connection open whatever it is told. */
static bool is_whole(const GString *answer)
{
        const char *body = strstr(answer->str, "\r\n\r\n"),
                   *length = strcasestr(answer->str, "content-length:");

        return body && length && length < body &&
               answer->len - (size_t)(body + 4 - answer->str) >= strtoul(length + 15, NULL, 10);
}

static gpointer exchange(gpointer userdata)
{
        const struct sockaddr_in address = { .sin_family = AF_INET,
                                             .sin_port = htons((uint16_t)((struct exchange *)userdata)->port),
                                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        struct exchange *e = userdata;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        size_t size = strlen(e->request);
        char data[65536];
        ssize_t n = connect(fd, (const struct sockaddr *)&address, sizeof(address));

        for (size_t sent = 0; n >= 0 && sent < size; sent += (size_t)n)
                n = send(fd, e->request + sent, size - sent, MSG_NOSIGNAL);
        while (!is_whole(e->answer) && (n = recv(fd, data, sizeof(data), 0)) > 0)
                g_string_append_len(e->answer, data, n);
        close(fd);
        g_atomic_int_set(&e->ended, 1);
        return NULL;
}

static bool exchange_has_ended(void *userdata)
{
        return g_atomic_int_get(&((struct exchange *)userdata)->ended) != 0;
}

/* The answer's "value", to be released. body is taken over. */
static json_t *ask(struct browser *b, const char *method, const char *path, json_t *body)
{
        g_autofree char *text = body ? json_dumps(body, JSON_COMPACT) : g_strdup("");
        struct exchange e = { .port = b->port, .answer = g_string_new(NULL) };
        json_t *answer, *value;
        const char *begin;
        GThread *thread;

        json_decref(body);
        e.request = g_strdup_printf(
                "%s %s%s HTTP/1.1\r\nHost: localhost:%u\r\nContent-Type: application/json\r\n"
                "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                method, b->session ? b->session : "", path, b->port, strlen(text), text);
        thread = g_thread_new("exchange", exchange, &e);
        assert_true(bed_wait(b->bed, exchange_has_ended, &e, CALL_LIMIT));
        g_thread_join(thread);
        begin = strstr(e.answer->str, "\r\n\r\n");
        answer = begin ? json_loads(begin, 0, NULL) : NULL;
        value = json_incref(json_object_get(answer, "value"));
        if (!value || json_object_get(value, "error"))
                fail_msg("%s %s: %.2000s", path, text, e.answer->str);
        json_decref(answer);
        g_free(e.request);
        g_string_free(e.answer, TRUE);
        return value;
}

static bool driver_listens(void *userdata)
{
        return strstr(bed_output(userdata), "started successfully on port ") || !bed_child_runs(userdata);
}

static void start_driver(struct browser *b, const char *dir)
{
        g_autofree char *home = g_strdup_printf("HOME=%s", dir);
        const char *argv[] = { "chromedriver", "--port=0", NULL };
        const char *environment[] = { home, NULL };
        const char *said;

        b->driver = bed_spawn(b->bed, argv,
                              &(struct bed_spawn_options){ .outside = true, .environment = environment });
        bed_wait(b->bed, driver_listens, b->driver, START_LIMIT);
        said = strstr(bed_output(b->driver), "started successfully on port ");
        if (!said || sscanf(said, "started successfully on port %u", &b->port) != 1)
                fail_msg("chromedriver does not start: %s", bed_output(b->driver));
}

struct browser *browser_open(struct bed *bed, const char *dir)
{
        static const char *const fixed[] = { "--headless",
                                             "--no-sandbox",
                                             "--disable-gpu",
                                             "--disable-quic",
                                             "--no-first-run",
                                             "--disable-background-networking",
                                             "--disable-component-update",
                                             "--disable-sync",
                                             "--disable-dev-shm-usage",
                                             "--hide-scrollbars",
                                             "--lang=en" };
        struct browser *b = g_new0(struct browser, 1);
        json_t *args = json_array(), *value;

        b->bed = bed;
        start_driver(b, dir);
        for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
                json_array_append_new(args, json_string(fixed[i]));
        json_array_append_new(args, json_sprintf("--user-data-dir=%s/profile", dir));
        value = ask(b, "POST", "/session",
                    json_pack("{s:{s:{s:{s:o}, s:{s:s}, s:{s:i}}}}", "capabilities", "alwaysMatch",
                              "goog:chromeOptions", "args", args, "goog:loggingPrefs", "browser", "ALL",
                              "timeouts", "script", WAIT_MSEC + 10000));
        b->session = g_strdup_printf("/session/%s", json_string_value(json_object_get(value, "sessionId")));
        json_decref(value);
        return b;
}

void browser_close(struct browser *b)
{
        json_decref(ask(b, "DELETE", "", NULL));
        bed_kill(b->driver, SIGTERM);
        bed_wait_child(b->driver, START_LIMIT);
        g_free(b->session);
        g_free(b);
}

void browser_size(struct browser *b, unsigned width, unsigned height)
{
        /* The window's own size has a lower bound; this is the page's. */
        json_decref(ask(b, "POST", "/goog/cdp/execute",
                        json_pack("{s:s, s:{s:i, s:i, s:i, s:b}}", "cmd",
                                  "Emulation.setDeviceMetricsOverride", "params", "width", (int)width,
                                  "height", (int)height, "deviceScaleFactor", 1, "mobile", false)));
}

void browser_go(struct browser *b, const char *url)
{
        json_decref(ask(b, "POST", "/url", json_pack("{s:s}", "url", url)));
}

json_t *browser_value(struct browser *b, const char *expression)
{
        return ask(b, "POST", "/execute/sync",
                   json_pack("{s:o, s:[]}", "script", json_sprintf("return (%s);", expression), "args"));
}

void browser_expect(struct browser *b, const char *expression)
{
        json_t *script = json_sprintf(
                "const done = arguments[0], holds = () => { try { return Boolean(%s); } catch (e) { return "
                "false; } };"
                "if (holds()) { done(true); return; }"
                "const end = answer => { watch.disconnect(); clearTimeout(timer); done(answer); };"
                "const watch = new MutationObserver(() => { if (holds()) end(true); });"
                "const timer = setTimeout(() => end(false), %d);"
                "watch.observe(document, { subtree: true, childList: true, attributes: true, characterData: "
                "true });",
                expression, WAIT_MSEC);
        json_t *value = ask(b, "POST", "/execute/async", json_pack("{s:o, s:[]}", "script", script, "args"));
        bool held = json_is_true(value);

        json_decref(value);
        if (held)
                return;
        value = browser_value(b, "document.body.innerText");
        fail_msg("the page never was so: %s\nit shows:\n%s", expression, json_string_value(value));
}

void browser_picture(struct browser *b, const char *path)
{
        json_t *value = ask(b, "GET", "/screenshot", NULL);
        gsize size;
        g_autofree guchar *data = g_base64_decode(json_string_value(value), &size);

        assert_true(g_file_set_contents(path, (const char *)data, (gssize)size, NULL));
        json_decref(value);
}

void browser_expect_no_errors(struct browser *b)
{
        json_t *value = ask(b, "POST", "/se/log", json_pack("{s:s}", "type", "browser")), *entry;
        size_t i;

        json_array_foreach(value, i, entry)
        {
                const char *message = json_string_value(json_object_get(entry, "message"));

                if (strstr(message, "net::ERR_")) /* of a server that was stopped, by the story */
                        continue;
                fail_msg("the browser says: %s", message);
        }
        json_decref(value);
}
