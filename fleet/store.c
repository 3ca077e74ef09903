/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/store.h"

#include <stdio.h>
#include <sys/random.h>

#include <libpq-fe.h>

#include "fleet/backoff.h"
#include "fleet/trouble.h"
#include "io/clock.h"
#include "io/say.h"

#define CONNECT_MAX (20 * USEC_PER_SEC)
#define ANSWER_MAX  (120 * USEC_PER_SEC) /* the database itself gives up after 60 s, and says so */
#define RETRY_FIRST USEC_PER_SEC

enum store_state {
        STORE_WAITING, /* for the time at which it is tried again */
        STORE_CONNECTING,
        STORE_PREPARING, /* the session and the schema */
        STORE_RESTING,   /* connected; waits after something was refused */
        STORE_READY,
        STORE_TAKING,
};

struct store {
        const char *connection;
        unsigned retry_max_sec;
        const struct store_events *events;
        void *userdata;

        enum store_state state;
        PGconn *conn; /* NULL in STORE_WAITING */
        PostgresPollingStatusType polling;
        PGresult *result; /* the last of the statement that is under way */
        uint64_t deadline_usec;
        struct backoff backoff;
        struct trouble trouble;
        bool fsync_was_told;
        bool surveying; /* what it was given last is a survey */
        enum { REFUSED_NOTHING, REFUSED_SURVEY, REFUSED_RECORDS } refused; /* and did not take since */
        uint64_t now_usec;
};

static const char schema_1[] =
#include "fleet/schema-1.inc"
        ;

/* Each brings a schema of the version before to its own. */
static const char *const steps[STORE_SCHEMA] = { schema_1 };

/* ---- the schema -------------------------------------------------------------------- */

/* Two that start at once wait for one another. */
#define UPGRADE_BEGIN                                                                                        \
        "DO $upgrade$ DECLARE at integer := 0; BEGIN "                                                       \
        "PERFORM pg_advisory_xact_lock(hashtext('espdfu'), hashtext('schema')); "                            \
        "IF to_regclass('espdfu.version') IS NOT NULL THEN "                                                 \
        "EXECUTE 'SELECT version FROM espdfu.version' INTO at; END IF;\n"
#define UPGRADE_END "END $upgrade$;\n"

char *store_schema_sql(void)
{
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        fputs(UPGRADE_BEGIN, f);
        for (unsigned i = 0; i < STORE_SCHEMA; i++)
                fprintf(f,
                        "IF at < %u THEN EXECUTE $step%u$\n%s$step%u$; UPDATE espdfu.version SET version = "
                        "%u; "
                        "END IF;\n",
                        i + 1, i + 1, steps[i], i + 1, i + 1);
        fputs(UPGRADE_END, f);
        if (fclose(f) == EOF) {
                free(text);
                return NULL;
        }
        return text;
}

/* ---- what there is to say ---------------------------------------------------------- */

/* The first line of what libpq or the server said: it begins with "ERROR:  " or "connection to server at …". */
static void say_trouble(struct store *s, const char *text, const char *advice)
{
        char line[TROUBLE_TEXT_MAX];

        text += str_has_prefix(text, "ERROR:  ") ? strlen("ERROR:  ") : 0;
        text += str_has_prefix(text, "FATAL:  ") ? strlen("FATAL:  ") : 0;
        snprintf(line, sizeof(line), "%.*s%s", (int)MIN(strcspn(text, "\n"), (size_t)400), text, advice);
        if (!trouble_is(&s->trouble, line, s->now_usec))
                return;
        if (s->retry_max_sec == 0)
                say_line("database: %s", line);
        else
                say_line("database: %s; tried again, at the latest every %u s", line, s->retry_max_sec);
}

#define READ_ONLY "it is read-only"
#define NO_SCHEMA                                                                                            \
        ": expected the schema espdfu as espdfu-collect makes it: where all of it is gone it is made anew, " \
        "else bring it back from a backup"

/* By the SQLSTATE, or the beginning of one. */
static const char *advice(const char *code)
{
        static const struct {
                const char *code, *text;
        } table[] = {
                { "42501", ": expected a user that may do so, or the schema made before by the owner of the "
                           "database: espdfu-collect --init" },
                { "53100", ": expected room on the disk of the database" },
                { "25006",
                  ": expected default_transaction_read_only = off (who runs the database may have set "
                  "it on while its disk is full), or the primary server: "
                  "target_session_attrs=read-write" },
                { "3F000", NO_SCHEMA },
                { "42P01", NO_SCHEMA },
                { "42883", NO_SCHEMA },
                { "42703", NO_SCHEMA },
        };

        for (size_t i = 0; code && i < ARRAY_SIZE(table); i++)
                if (str_has_prefix(code, table[i].code))
                        return table[i].text;
        return "";
}

static const char *code_of(const PGresult *result)
{
        const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);

        return code ? code : "";
}

static void say_refusal(struct store *s)
{
        const char *code = code_of(s->result);

        say_trouble(s, streq(code, "25006") ? READ_ONLY : PQresultErrorMessage(s->result), advice(code));
}

/* Whether a refusal is about what was asked, or about the server as a whole: of everything else the session may be the cause
 * (what it was set to when it began, what it remembers of a schema that is another one now). */
static bool session_is_good(const char *code)
{
        static const char *const classes[] = {
                "22",    "23",    "40",
                "53",    "54",    /* data, constraints, others in the way, resources, limits */
                "55P03", "57014", /* a lock, or all of it, took too long */
        };

        for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
                if (str_has_prefix(code, classes[i]))
                        return true;
        return false;
}

/* Warnings of the server's. */
static void on_notice(void *userdata, const char *text)
{
        (void)userdata;
        say_line("database: %.*s", (int)strcspn(text, "\n"), text);
}

/* ---- a connection's end ------------------------------------------------------------ */

static void wait_for_retry(struct store *s, enum store_state state)
{
        uint64_t random = 0;

        if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
                random = monotonic_usec();
        s->state = state;
        s->deadline_usec = s->now_usec + backoff_next(&s->backoff, random);
}

static void drop(struct store *s)
{
        PQclear(s->result);
        PQfinish(s->conn);
        s->result = NULL;
        s->conn = NULL;
}

static void went_away(struct store *s)
{
        bool was_ready = s->state >= STORE_RESTING;

        drop(s);
        wait_for_retry(s, STORE_WAITING);
        if (was_ready)
                s->events->away(s->userdata);
}

static void connection_failed(struct store *s)
{
        const char *text = PQerrorMessage(s->conn);

        say_trouble(s, *text ? text : "it hung up", "");
        went_away(s);
}

/* ---- a connection's beginning ------------------------------------------------------ */

static void start(struct store *s)
{
        /* What the connection says itself counts before the first three. */
        static const char *const names[] = { "keepalives_idle",
                                             "keepalives_interval",
                                             "tcp_user_timeout",
                                             "dbname",
                                             "client_encoding",
                                             "fallback_application_name",
                                             NULL };
        const char *const values[] = { "10", "5", "30000", s->connection, "UTF8", "espdfu-collect", NULL };

        s->conn = PQconnectStartParams(names, values, 1);
        if (s->conn)
                PQsetNoticeProcessor(s->conn, on_notice, NULL);
        if (!s->conn || PQstatus(s->conn) == CONNECTION_BAD) {
                connection_failed(s);
                return;
        }
        s->state = STORE_CONNECTING;
        s->polling = PGRES_POLLING_WRITING;
        s->deadline_usec = s->now_usec + CONNECT_MAX;
}

#define SESSION                                                                                              \
        "SET statement_timeout = '60s'; SET client_min_messages = warning; SET timezone = 'UTC'; "           \
        "SET search_path = pg_catalog; "                                                                     \
        "SELECT set_config('synchronous_commit', 'on', false) "                                              \
        "WHERE current_setting('synchronous_commit') = 'off';\n"
#define STATE                                                                                                \
        "SELECT version, current_setting('server_encoding'), current_setting('fsync'), "                     \
        "pg_is_in_recovery(), "                                                                              \
        "current_setting('transaction_read_only') "                                                          \
        "FROM espdfu.version;\n"

static void prepare(struct store *s)
{
        _cleanup_(freep) char *schema = store_schema_sql();
        _cleanup_(freep) char *text = NULL;

        if (!schema || asprintf(&text, SESSION "%s" STATE, schema) < 0) {
                text = NULL;
                went_away(s);
                return;
        }
        PQsetnonblocking(s->conn, 1);
        if (!PQsendQuery(s->conn, text)) {
                connection_failed(s);
                return;
        }
        s->state = STORE_PREPARING;
        s->deadline_usec = s->now_usec + ANSWER_MAX;
}

static void step_connecting(struct store *s, short revents)
{
        if (revents == 0) {
                if (s->now_usec >= s->deadline_usec) {
                        say_trouble(s, "it does not answer", "");
                        went_away(s);
                }
                return;
        }
        s->polling = PQconnectPoll(s->conn);
        if (s->polling == PGRES_POLLING_FAILED)
                connection_failed(s);
        else if (s->polling == PGRES_POLLING_OK)
                prepare(s);
}

/* ---- answers ----------------------------------------------------------------------- */

static void became_ready(struct store *s)
{
        s->state = STORE_READY;
        s->deadline_usec = USEC_INFINITY;
        s->events->ready(s->userdata);
}

/* The row of STATE. */
static void prepared(struct store *s)
{
        long version = strtol(PQgetvalue(s->result, 0, 0), NULL, 10);
        char text[300] = "";

        if (version != STORE_SCHEMA)
                snprintf(text, sizeof(text),
                         "its schema has version %ld: expected %d: upgrade espdfu-collect", version,
                         STORE_SCHEMA);
        else if (!streq(PQgetvalue(s->result, 0, 1), "UTF8"))
                snprintf(text, sizeof(text),
                         "its encoding is %s: expected UTF8: createdb -E UTF8 -T template0",
                         PQgetvalue(s->result, 0, 1));
        else if (streq(PQgetvalue(s->result, 0, 3), "t"))
                snprintf(text, sizeof(text),
                         "it is a standby: expected the primary server: "
                         "target_session_attrs=read-write");
        else if (streq(PQgetvalue(s->result, 0, 4), "on"))
                snprintf(text, sizeof(text), READ_ONLY "%s", advice("25006"));
        if (*text) {
                say_trouble(s, text, "");
                went_away(s);
                return;
        }
        if (!streq(PQgetvalue(s->result, 0, 2), "on") && !s->fsync_was_told) {
                say_line("database: fsync = off: what it says it has may be lost with its power");
                s->fsync_was_told = true;
        }
        /* Where it refused something before, it is not over until it takes that. */
        if (s->refused == REFUSED_NOTHING && trouble_over(&s->trouble))
                say_line("database: connected");
        became_ready(s);
}

/* Of what was given none is there. */
static void refused(struct store *s)
{
        const char *code = code_of(s->result);
        bool again_at_once = str_has_prefix(code, "40"); /* another one was in the way */
        bool good = session_is_good(code);

        if (!again_at_once)
                say_refusal(s);
        s->refused = s->surveying ? REFUSED_SURVEY : REFUSED_RECORDS;
        wait_for_retry(s, STORE_RESTING);
        if (again_at_once)
                s->deadline_usec = s->now_usec;
        s->events->refused(s->userdata);
        if (!good) {
                drop(s);
                s->state = STORE_WAITING;
                s->events->away(s->userdata);
        }
}

static void taken(struct store *s)
{
        json_t *reply = json_loads(PQgetvalue(s->result, 0, 0), 0, NULL);

        if (!reply) {
                say_trouble(s, "what espdfu.take() answers is not understood", "");
                wait_for_retry(s, STORE_RESTING);
                s->events->refused(s->userdata);
                return;
        }
        if (!s->surveying || s->refused != REFUSED_RECORDS) {
                s->refused = REFUSED_NOTHING;
                backoff_reset(&s->backoff);
                if (trouble_over(&s->trouble))
                        say_line("database: takes records again");
        }
        s->state = STORE_READY;
        s->deadline_usec = USEC_INFINITY;
        s->events->taken(s->userdata, reply);
        json_decref(reply);
}

/* The statement is over; s->result is its last result. */
static void answered(struct store *s)
{
        bool has_row = PQresultStatus(s->result) == PGRES_TUPLES_OK && PQntuples(s->result) == 1;

        if (!has_row && PQstatus(s->conn) == CONNECTION_BAD) {
                connection_failed(s);
        } else if (s->state == STORE_TAKING) {
                if (has_row)
                        taken(s);
                else
                        refused(s);
        } else if (has_row) {
                prepared(s);
        } else {
                say_refusal(s);
                went_away(s);
        }
        PQclear(s->result);
        s->result = NULL;
}

/* A statement of several parts has a result of each; the first that is an error is the last. */
static void read_answer(struct store *s)
{
        while (!PQisBusy(s->conn)) {
                PGresult *result = PQgetResult(s->conn);

                if (!result) {
                        if (s->result)
                                answered(s);
                        return;
                }
                PQclear(s->result);
                s->result = result;
        }
}

static void step_connected(struct store *s, short revents)
{
        bool busy = s->state == STORE_PREPARING || s->state == STORE_TAKING;

        if (revents != 0 && (PQflush(s->conn) < 0 || !PQconsumeInput(s->conn))) {
                connection_failed(s);
                return;
        }
        if (revents != 0 && busy) {
                read_answer(s);
                return;
        }
        if (PQstatus(s->conn) == CONNECTION_BAD) {
                connection_failed(s);
                return;
        }
        if (s->now_usec < s->deadline_usec)
                return;
        if (s->state == STORE_RESTING) {
                became_ready(s);
        } else if (busy) {
                say_trouble(s, "it does not answer", "");
                went_away(s);
        }
}

void store_step(struct store *s, short revents, uint64_t now_usec)
{
        s->now_usec = now_usec;
        switch (s->state) {
        case STORE_WAITING:
                if (now_usec >= s->deadline_usec)
                        start(s);
                return;
        case STORE_CONNECTING:
                step_connecting(s, revents);
                return;
        case STORE_PREPARING:
        case STORE_RESTING:
        case STORE_READY:
        case STORE_TAKING:
                step_connected(s, revents);
                return;
        }
}

uint64_t store_wait(const struct store *s, struct pollfd *ret)
{
        *ret = (struct pollfd){ .fd = s->conn ? PQsocket(s->conn) : -1, .events = POLLIN };
        if (s->state == STORE_CONNECTING && s->polling == PGRES_POLLING_WRITING)
                ret->events = POLLOUT;
        else if (s->state > STORE_CONNECTING && PQflush(s->conn) > 0)
                ret->events |= POLLOUT;
        return s->deadline_usec;
}

/* ---- the owner's side -------------------------------------------------------------- */

int store_new(const char *connection, unsigned retry_max_sec, const struct store_events *events,
              void *userdata, struct store **ret)
{
        struct store *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        s->connection = connection;
        s->retry_max_sec = retry_max_sec;
        s->events = events;
        s->userdata = userdata;
        s->backoff = (struct backoff){ .first_usec = RETRY_FIRST, .max_usec = retry_max_sec * USEC_PER_SEC };
        *ret = s;
        return 0;
}

struct store *store_free(struct store *s)
{
        drop(s);
        free(s);
        return NULL;
}

bool store_is_ready(const struct store *s)
{
        return s->state == STORE_READY;
}

const char *store_trouble(const struct store *s)
{
        return s->trouble.text;
}

static int ask(struct store *s, const char *statement, const char *const *values, int n, uint64_t now_usec)
{
        if (s->state != STORE_READY)
                return -ENOTCONN;
        if (!PQsendQueryParams(s->conn, statement, n, NULL, values, NULL, NULL, 0))
                return -ENOTCONN; /* the next step finds out why */
        s->state = STORE_TAKING;
        s->deadline_usec = now_usec + ANSWER_MAX;
        return 0;
}

int store_take(struct store *s, const char *messages, const char *letters, uint64_t now_usec)
{
        const char *const values[] = { messages, letters };

        s->surveying = false;
        return ask(s, "SELECT espdfu.take($1::jsonb, $2::jsonb)", values, ARRAY_SIZE(values), now_usec);
}

int store_survey(struct store *s, uint64_t now_usec)
{
        s->surveying = true;
        return ask(
                s,
                "SELECT jsonb_build_object('added', 0, 'letters', '[]'::jsonb, 'stations', "
                "coalesce(jsonb_agg(to_jsonb(s)), '[]')) FROM (SELECT DISTINCT ON (name) station_id, name, "
                "sequence FROM espdfu.station ORDER BY name, last_seen DESC) AS s",
                NULL, 0, now_usec);
}
