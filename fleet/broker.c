/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/broker.h"

#include <mqtt_protocol.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "core/hex.h"
#include "fleet/backoff.h"
#include "fleet/broker-words.h"
#include "fleet/mqtt-client.h"
#include "fleet/trouble.h"
#include "io/clock.h"
#include "io/poll.h"
#include "io/say.h"

#define CONNECT_MAX  (20 * USEC_PER_SEC) /* for TCP, TLS and the broker's welcome together */
#define STEADY_AFTER (10 * USEC_PER_SEC) /* a connection that held so long was a good one */
#define BRIEF_MAX    2                   /* of others so many are told, the last with what it may be */
#define RETRY_FIRST  USEC_PER_SEC
#define PACKETS_ONCE 16
#define NAME_SIZE    288

enum broker_state {
        BROKER_WAITING,  /* for the time at which it is tried again */
        BROKER_REACHING, /* TCP */
        BROKER_GREETING, /* TLS, CONNECT and CONNACK */
        BROKER_UP,
        BROKER_LEAVING,
};

struct broker {
        const struct broker_settings *settings;
        char name[NAME_SIZE];
        char *client_id;
        const struct broker_events *events;
        void *userdata;
        struct mqtt_will will;

        enum broker_state state;
        struct mosquitto *mosquitto; /* NULL in BROKER_WAITING */
        uint64_t
                deadline_usec; /* of BROKER_WAITING: when to try; of the others: when it took too long, or to look after it */
        unsigned n_brief; /* connections in a row that ended soon after they were made */
        bool unique;      /* nobody else can have this client id */
        uint64_t up_usec; /* since when */
        struct backoff backoff;
        struct trouble trouble, refused;
        int first_error; /* errno of the connection's beginning: TLS's first write may have had what the socket had to say */
        bool is_refused; /* something, since it is up */
        bool explained;  /* trouble has what the broker said when it turned us away */
        struct tls_refusal refusal;
        char detail
                [TROUBLE_TEXT_MAX]; /* what libmosquitto or the broker said of this connection's end; "": nothing */
        uint64_t now_usec;          /* of the step */
};

static const char *or_else(const char *text, const char *other)
{
        return *text ? text : other;
}

/* ---- what there is to say --------------------------------------------------------- */

/* libmosquitto's own words of trouble; of OpenSSL's "error:0A000086:SSL routines::certificate verify failed" the last part. */
static void on_log(struct mosquitto *mosquitto, void *userdata, int level, const char *text)
{
        struct broker *b = userdata;
        const char *colon = strrchr(text, ':');

        (void)mosquitto;
        if (level != MOSQ_LOG_ERR || b->detail[0] || strstr(text, "unexpected eof")) /* a lost connection */
                return;
        if (str_has_prefix(text, "OpenSSL Error") && colon)
                broker_tls_print(colon + 1, b->settings->certificate, b->detail, sizeof(b->detail));
        else
                snprintf(b->detail, sizeof(b->detail), "%s", text);
}

static void detail_of_reason(struct broker *b, const char *what, int reason)
{
        snprintf(b->detail, sizeof(b->detail), "%s: %s%s", what, mosquitto_reason_string(reason),
                 broker_advice(reason));
}

static void say_trouble(struct broker *b, const char *text)
{
        if (!trouble_is(&b->trouble, text, b->now_usec))
                return;
        if (b->settings->retry_max_sec == 0)
                say_line("broker %s: %s", b->name, text);
        else
                say_line("broker %s: %s; tried again, at the latest every %u s", b->name, text,
                         b->settings->retry_max_sec);
}

/* ---- a connection's end ----------------------------------------------------------- */

static void wait_for_retry(struct broker *b)
{
        uint64_t random = 0;

        if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
                random = monotonic_usec();
        b->state = BROKER_WAITING;
        b->deadline_usec = b->now_usec + backoff_next(&b->backoff, random);
}

static void drop(struct broker *b)
{
        if (b->mosquitto)
                mosquitto_destroy(b->mosquitto);
        b->mosquitto = NULL;
}

/* The other end is gone without a word. */
static const char *hung_up(const struct broker *b)
{
        return b->state == BROKER_UP ? broker_lost_words(b->n_brief + 1 >= BRIEF_MAX, b->unique)
                                     : broker_hung_up_words(!b->settings->no_tls);
}

/* fallback: why, where neither OpenSSL nor the broker said it. */
static void connection_ended(struct broker *b, const char *fallback)
{
        bool was_up = b->state == BROKER_UP;
        bool explained = b->refusal.text[0] || b->detail[0];
        const char *why = or_else(b->refusal.text, or_else(b->detail, fallback));

        /* A broker that turns us away says why, and hangs up: where we write in between, its words may be lost. It is the same
         * trouble as before, then. */
        if (was_up || (!explained && fallback != hung_up(b)))
                b->explained = false;
        else if (!explained && b->explained)
                why = b->trouble.text;
        else
                b->explained = explained;
        if (was_up)
                b->n_brief++;
        say_trouble(b, why);
        drop(b);
        wait_for_retry(b);
        if (was_up && b->events->down)
                b->events->down(b->userdata);
}

/* A result of libmosquitto's; error: errno of that moment. */
static void library_failed(struct broker *b, int result, int error)
{
        const char *words = broker_result_words(result, error);

        connection_ended(b, words ? words : hung_up(b));
}

static void trouble_is_over(struct broker *b)
{
        if (trouble_over(&b->trouble))
                say_line("broker %s: connected", b->name);
}

/* ---- libmosquitto's callbacks ------------------------------------------------------ */

static void on_connect(struct mosquitto *mosquitto, void *userdata, int reason, int flags,
                       const mosquitto_property *properties)
{
        struct broker *b = userdata;

        (void)mosquitto;
        (void)flags;
        (void)properties;
        if (reason != 0) {
                detail_of_reason(b, "it refuses us", reason);
                return;
        }
        b->state = BROKER_UP;
        b->is_refused = false;
        b->up_usec = b->now_usec;
        if (b->n_brief < BRIEF_MAX)
                trouble_is_over(b);
        if (b->events->up)
                b->events->up(b->userdata);
}

/* Where the broker said why it ends it (else 0 or a MOSQ_ERR_*). */
static void on_disconnect(struct mosquitto *mosquitto, void *userdata, int reason,
                          const mosquitto_property *properties)
{
        (void)mosquitto;
        (void)properties;
        if (reason >= MQTT_RC_UNSPECIFIED)
                detail_of_reason(userdata, "it ended the connection", reason);
}

static void on_message(struct mosquitto *mosquitto, void *userdata, const struct mosquitto_message *m,
                       const mosquitto_property *properties)
{
        struct broker *b = userdata;
        const struct broker_message message = { m->topic, m->payload ? m->payload : "", (size_t)m->payloadlen,
                                                m->retain };

        (void)mosquitto;
        (void)properties;
        if (b->events->message && b->state == BROKER_UP)
                b->events->message(b->userdata, &message);
}

static void say_refused(struct broker *b, const char *what, int reason)
{
        char text[TROUBLE_TEXT_MAX];

        b->is_refused = true;
        snprintf(text, sizeof(text), "%s is refused: %s%s", what, mosquitto_reason_string(reason),
                 broker_advice(reason));
        if (trouble_is(&b->refused, text, b->now_usec))
                say_line("broker %s: %s", b->name, text);
}

/* Of QoS 0 too, when it is written. */
static void on_publish(struct mosquitto *mosquitto, void *userdata, int number, int reason,
                       const mosquitto_property *properties)
{
        struct broker *b = userdata;
        bool refused = reason >= MQTT_RC_UNSPECIFIED;

        (void)mosquitto;
        (void)properties;
        if (refused)
                say_refused(b, "what we publish", reason);
        if (b->events->acknowledged && b->state == BROKER_UP)
                b->events->acknowledged(b->userdata, number, refused);
}

static void on_subscribe(struct mosquitto *mosquitto, void *userdata, int number, int n, const int *granted,
                         const mosquitto_property *properties)
{
        struct broker *b = userdata;

        (void)mosquitto;
        (void)number;
        (void)properties;
        for (int i = 0; i < n; i++)
                if (granted[i] >= MQTT_RC_UNSPECIFIED)
                        say_refused(b, "our subscription", granted[i]);
        if (b->events->subscribed && b->state == BROKER_UP)
                b->events->subscribed(b->userdata);
}

/* ---- a connection's beginning ------------------------------------------------------ */

static int set_up(struct broker *b)
{
        int r = mqtt_client_new(b->settings, b->client_id, &b->will, b, &b->refusal, &b->mosquitto);

        if (r < 0)
                return r;
        mosquitto_log_callback_set(b->mosquitto, on_log);
        mosquitto_connect_v5_callback_set(b->mosquitto, on_connect);
        mosquitto_disconnect_v5_callback_set(b->mosquitto, on_disconnect);
        mosquitto_message_v5_callback_set(b->mosquitto, on_message);
        mosquitto_publish_v5_callback_set(b->mosquitto, on_publish);
        mosquitto_subscribe_v5_callback_set(b->mosquitto, on_subscribe);
        return 0;
}

static void start(struct broker *b)
{
        int r, error;

        b->detail[0] = '\0';
        b->refusal.text[0] = '\0';
        r = set_up(b);
        if (r < 0) {
                connection_ended(b, strerror(-r));
                return;
        }
        errno = 0;
        r = mosquitto_connect_async(b->mosquitto, b->settings->host, (int)b->settings->port,
                                    (int)b->settings->keep_alive_sec);
        error = errno;
        if (r != MOSQ_ERR_SUCCESS) {
                library_failed(b, r, error);
                return;
        }
        b->first_error = error;
        b->state = BROKER_REACHING;
        b->deadline_usec = b->now_usec + CONNECT_MAX;
}

/* ---- steps ------------------------------------------------------------------------- */

/* libmosquitto takes an end in the middle of TLS's handshake for a reason to wait on: 0, or an errno. */
static int socket_error(const struct broker *b)
{
        int fd = mosquitto_socket(b->mosquitto), error = 0;
        socklen_t size = sizeof(error);
        char byte;

        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
                return errno;
        if (error == 0 && recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
                error = b->first_error == ECONNREFUSED ? ECONNREFUSED : ECONNRESET;
        return error;
}

static void look_after(struct broker *b)
{
        /* It asks for the time in seconds, and pings when half of it is over. */
        b->deadline_usec = b->now_usec + b->settings->keep_alive_sec * USEC_PER_SEC / 8;
}

static bool has_more_to_read(const struct broker *b)
{
        struct pollfd pfd = { .fd = mosquitto_socket(b->mosquitto), .events = POLLIN };

        return pfd.fd >= 0 && poll(&pfd, 1, 0) > 0 && (pfd.revents & POLLIN) != 0;
}

/* Whether it goes on. */
static bool exchange(struct broker *b)
{
        int r = mosquitto_loop_read(b->mosquitto, PACKETS_ONCE), error = errno;

        /* What it says when it turns us away is read before we write to who is gone. */
        if (r == MOSQ_ERR_SUCCESS && b->state == BROKER_GREETING && has_more_to_read(b)) {
                r = mosquitto_loop_read(b->mosquitto, PACKETS_ONCE);
                error = errno;
        }
        if (r == MOSQ_ERR_SUCCESS && mosquitto_socket(b->mosquitto) >= 0) {
                r = mosquitto_loop_write(b->mosquitto, PACKETS_ONCE);
                error = errno;
        }
        if (r == MOSQ_ERR_SUCCESS && mosquitto_socket(b->mosquitto) >= 0) {
                r = mosquitto_loop_misc(b->mosquitto);
                error = errno;
        }
        if (r == MOSQ_ERR_SUCCESS && mosquitto_socket(b->mosquitto) < 0)
                r = MOSQ_ERR_CONN_LOST;
        if (r != MOSQ_ERR_SUCCESS && b->state != BROKER_LEAVING)
                library_failed(b, r, error);
        return r == MOSQ_ERR_SUCCESS;
}

static void step_towards(struct broker *b, short revents)
{
        bool tls = !b->settings->no_tls;
        int error;

        if (revents == 0) {
                if (b->now_usec >= b->deadline_usec)
                        connection_ended(b, b->state == BROKER_REACHING
                                                    ? "it does not answer"
                                                    : "it is silent: expected a broker with MQTT 5, "
                                                      "and tls as it has it");
                return;
        }
        error = socket_error(b);
        if (error != 0 && (b->state == BROKER_REACHING || tls)) {
                /* What is still to be read may say why. */
                if (b->state == BROKER_GREETING && !exchange(b))
                        return;
                connection_ended(b, error == ECONNRESET || error == EPIPE ? hung_up(b) : strerror(error));
                return;
        }
        b->state = BROKER_GREETING;
        if (exchange(b) && b->state == BROKER_UP)
                look_after(b);
}

/* Two that throw each other out each hold for as long as the other one waits: that is not steady. */
static void be_steady(struct broker *b)
{
        uint64_t held = b->now_usec - b->up_usec;

        if (held >= STEADY_AFTER && b->n_brief < BRIEF_MAX)
                backoff_reset(&b->backoff);
        if (held >= MAX(STEADY_AFTER, 2 * b->settings->retry_max_sec * USEC_PER_SEC)) {
                b->n_brief = 0;
                backoff_reset(&b->backoff);
                trouble_is_over(b);
        }
}

void broker_step(struct broker *b, short revents, uint64_t now_usec)
{
        b->now_usec = now_usec;
        switch (b->state) {
        case BROKER_WAITING:
                if (now_usec >= b->deadline_usec)
                        start(b);
                return;
        case BROKER_REACHING:
        case BROKER_GREETING:
                step_towards(b, revents);
                return;
        case BROKER_UP:
                if (!exchange(b))
                        return;
                look_after(b);
                be_steady(b);
                return;
        case BROKER_LEAVING:
                (void)exchange(b);
                return;
        }
}

uint64_t broker_wait(const struct broker *b, struct pollfd *ret)
{
        *ret = (struct pollfd){ .fd = b->mosquitto ? mosquitto_socket(b->mosquitto) : -1, .events = POLLIN };
        switch (b->state) {
        case BROKER_WAITING:
                break;
        case BROKER_REACHING:
                ret->events = POLLOUT;
                break;
        case BROKER_GREETING:
                /* libmosquitto's wish to write stays while TLS waits for an answer: it would have us run in circles. What
                 * there is to write is tried after each read. */
                break;
        case BROKER_UP:
        case BROKER_LEAVING:
                if (mosquitto_want_write(b->mosquitto))
                        ret->events |= POLLOUT;
                break;
        }
        return b->deadline_usec;
}

/* ---- the owner's side -------------------------------------------------------------- */

/* Mosquitto lets a client whose id has + or # do nothing where its ACL has patterns: so they are encoded, as in topics. */
static char *safe_client_id(const char *client_id)
{
        char *id = malloc(3 * strlen(client_id) + 1), *to = id;

        for (; id && *client_id; client_id++)
                if (strchr("+#/%", *client_id)) {
                        *to++ = '%';
                        hex_encode((const uint8_t *)client_id, 1, to);
                        to += 2;
                } else {
                        *to++ = *client_id;
                }
        if (id)
                *to = '\0';
        return id;
}

int broker_new(const struct broker_settings *settings, const char *client_id,
               const struct broker_events *events, void *userdata, struct broker **ret)
{
        _cleanup_(broker_freep) struct broker *b = NULL;
        static bool ready;

        if (!ready && mosquitto_lib_init() != MOSQ_ERR_SUCCESS)
                return -ENOMEM;
        ready = true;
        b = calloc(1, sizeof(*b));
        if (!b || !(b->client_id = safe_client_id(client_id)))
                return -ENOMEM;
        b->settings = settings;
        b->events = events;
        b->userdata = userdata;
        b->backoff = (struct backoff){ .first_usec = RETRY_FIRST,
                                       .max_usec = settings->retry_max_sec * USEC_PER_SEC };
        snprintf(b->name, sizeof(b->name), "%s:%u", settings->host, settings->port);
        *ret = take_ptr(b);
        return 0;
}

struct broker *broker_free(struct broker *b)
{
        drop(b);
        free(b->client_id);
        free(b->will.topic);
        free(b->will.payload);
        free(b);
        return NULL;
}

int broker_set_will(struct broker *b, const char *topic, const void *payload, size_t size)
{
        _cleanup_(freep) void *copy = malloc(size + 1);

        if (!copy || free_and_strdup(&b->will.topic, topic) < 0)
                return -ENOMEM;
        memcpy(copy, payload, size);
        free(b->will.payload);
        b->will.payload = take_ptr(copy);
        b->will.size = size;
        return 0;
}

void broker_is_unique(struct broker *b)
{
        b->unique = true;
}

bool broker_is_up(const struct broker *b)
{
        return b->state == BROKER_UP;
}

bool broker_is_refused(const struct broker *b)
{
        return b->is_refused;
}

const char *broker_trouble(const struct broker *b)
{
        return b->trouble.text;
}

const char *broker_name(const struct broker *b)
{
        return b->name;
}

bool broker_is_choked(const struct broker *b)
{
        return b->state == BROKER_UP && mosquitto_want_write(b->mosquitto);
}

/* libmosquitto's result of a call by the owner. */
static int call_result(int result)
{
        switch (result) {
        case MOSQ_ERR_SUCCESS:
                return 0;
        case MOSQ_ERR_NOMEM:
                return -ENOMEM;
        case MOSQ_ERR_INVAL:
        case MOSQ_ERR_MALFORMED_UTF8:
        case MOSQ_ERR_PAYLOAD_SIZE:
        case MOSQ_ERR_OVERSIZE_PACKET:
        case MOSQ_ERR_QOS_NOT_SUPPORTED:
        case MOSQ_ERR_RETAIN_NOT_SUPPORTED:
                return -EINVAL;
        default:
                return -ENOTCONN; /* the next step finds out why */
        }
}

int broker_publish(struct broker *b, const char *topic, const void *payload, size_t size, int qos,
                   bool retain, int *ret_number)
{
        if (b->state != BROKER_UP)
                return -ENOTCONN;
        return call_result(
                mosquitto_publish_v5(b->mosquitto, ret_number, topic, (int)size, payload, qos, retain, NULL));
}

static int subscribe(struct broker *b, const char *filter, int options)
{
        if (b->state != BROKER_UP)
                return -ENOTCONN;
        return call_result(mosquitto_subscribe_v5(b->mosquitto, NULL, filter, 1, options, NULL));
}

int broker_subscribe(struct broker *b, const char *filter)
{
        return subscribe(b, filter, 0);
}

int broker_subscribe_to_others(struct broker *b, const char *filter)
{
        return subscribe(b, filter, MQTT_SUB_OPT_NO_LOCAL);
}

int broker_unsubscribe(struct broker *b, const char *filter)
{
        if (b->state != BROKER_UP)
                return -ENOTCONN;
        return call_result(mosquitto_unsubscribe_v5(b->mosquitto, NULL, filter, NULL));
}

void broker_leave(struct broker *b, uint64_t timeout_usec)
{
        uint64_t deadline = monotonic_usec() + timeout_usec;

        if (b->state == BROKER_UP) {
                b->state = BROKER_LEAVING;
                mosquitto_disconnect_v5(b->mosquitto, 0, NULL);
        }
        while (b->state == BROKER_LEAVING && mosquitto_socket(b->mosquitto) >= 0) {
                struct pollfd pfd;

                broker_wait(b, &pfd);
                if (poll_until(&pfd, 1, deadline, NULL) <= 0 || !exchange(b))
                        break;
        }
        drop(b);
        b->state = BROKER_WAITING;
        b->deadline_usec = USEC_INFINITY;
}
