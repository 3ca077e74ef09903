/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfu-fleet history: attempts of all stations, out of the central store. */
#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>

#include <libpq-fe.h>

#include "core/history.h"
#include "core/messages.h"
#include "fleet/conninfo.h"
#include "fleet/delivered.h"
#include "fleet/fleet.h"
#include "io/history-query.h"
#include "io/say.h"
#include "show/attempt-table.h"

#define LIMIT_DEFAULT 20
#define VALUES_MAX    16

/* libpq is looked for when it is wanted: a station that has this program beside its bridge needs no database's library. */
static struct {
        __typeof__(PQclear) *clear;
        __typeof__(PQconnectdbParams) *connectdbParams;
        struct conninfo_parser conninfo;
        __typeof__(PQerrorMessage) *errorMessage;
        __typeof__(PQfinish) *finish;
        __typeof__(PQgetResult) *getResult;
        __typeof__(PQgetvalue) *getvalue;
        __typeof__(PQntuples) *ntuples;
        __typeof__(PQresultErrorField) *resultErrorField;
        __typeof__(PQresultErrorMessage) *resultErrorMessage;
        __typeof__(PQresultStatus) *resultStatus;
        __typeof__(PQsendQueryParams) *sendQueryParams;
        __typeof__(PQsetSingleRowMode) *setSingleRowMode;
        __typeof__(PQstatus) *status;
} pq;

static bool load_libpq(void)
{
        static const struct {
                const char *name;
                void *function;
        } functions[] = {
                { "PQclear", &pq.clear },
                { "PQconnectdbParams", &pq.connectdbParams },
                { "PQconninfoFree", &pq.conninfo.free },
                { "PQconninfoParse", &pq.conninfo.parse },
                { "PQerrorMessage", &pq.errorMessage },
                { "PQfinish", &pq.finish },
                { "PQfreemem", &pq.conninfo.freemem },
                { "PQgetResult", &pq.getResult },
                { "PQgetvalue", &pq.getvalue },
                { "PQntuples", &pq.ntuples },
                { "PQresultErrorField", &pq.resultErrorField },
                { "PQresultErrorMessage", &pq.resultErrorMessage },
                { "PQresultStatus", &pq.resultStatus },
                { "PQsendQueryParams", &pq.sendQueryParams },
                { "PQsetSingleRowMode", &pq.setSingleRowMode },
                { "PQstatus", &pq.status },
        };
        void *library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);

        for (size_t i = 0; library && i < ARRAY_SIZE(functions); i++) {
                void **function = functions[i].function; /* as POSIX has it of dlsym() */

                *function = dlsym(library, functions[i].name);
                if (!*function)
                        library = NULL;
        }
        if (!library)
                say_line("history: libpq, which speaks with PostgreSQL, is missing: expected the package "
                         "libpq5: %s",
                         dlerror());
        return library;
}

/* The fields of an attempt as History has them, and whose it is. */
#define SELECT                                                                                               \
        "SELECT s.name, to_jsonb(r) - '{start_time,end_time,received_time,unknown,previous}'::text[] || "    \
        "coalesce(r.unknown, '{}') || "                                                                      \
        "jsonb_build_object('start_realtime_usec', (extract(epoch FROM r.start_time) * 1000000)::bigint, "   \
        "'end_realtime_usec', (extract(epoch FROM r.end_time) * 1000000)::bigint) "                          \
        "FROM espdfu.record AS r JOIN espdfu.station AS s USING (station_id) WHERE true"

/* A statement that grows with what is asked. */
struct query {
        char *text;
        size_t size;
        FILE *f;
        char *values[VALUES_MAX];
        size_t n;
};

static void query_done(struct query *q)
{
        if (q->f)
                fclose(q->f);
        free(q->text);
        for (size_t i = 0; i < q->n; i++)
                free(q->values[i]);
}

/* The place of a value in the statement, "$3"; the value is copied. */
static const char *place(struct query *q, const char *value)
{
        static char name[8];

        q->values[q->n] = strdup(value);
        snprintf(name, sizeof(name), "$%zu", ++q->n);
        return name;
}

static void add_station(struct query *q, const char *station)
{
        const char *name = place(q, station);

        /* As a list, which is looked up once: so the index of a station's records counts. */
        fprintf(q->f,
                " AND r.station_id = ANY (ARRAY(SELECT station_id FROM espdfu.station WHERE name = %s OR "
                "station_id = %s))",
                name, name);
}

static void add_image(struct query *q, const char *image)
{
        const char *name = place(q, image);

        fprintf(q->f, " AND (r.image_name = %s OR r.image_path = %s", name, name);
        if (history_image_is_digest(image))
                fprintf(q->f, " OR (r.image_sha256 >= lower(%s) AND r.image_sha256 < lower(%s) || 'g')", name,
                        name);
        fputc(')', q->f);
}

static void add_time(struct query *q, const char *order, json_int_t usec)
{
        char text[24];

        snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, usec);
        fprintf(q->f, " AND r.start_time %s timestamptz 'epoch' + %s::bigint * interval '1 microsecond'",
                order, place(q, text));
}

static void add_text(struct query *q, const char *condition, const char *value)
{
        fprintf(q->f, " AND %s %s", condition, place(q, value));
}

/* parameters: of history_query_parameters(). */
static void add_filter(struct query *q, const json_t *parameters)
{
        const char *name;
        json_t *value;

        json_object_foreach((json_t *)(uintptr_t)parameters, name, value)
        {
                if (streq(name, "slot"))
                        add_text(q, "r.slot =", json_string_value(value));
                else if (streq(name, "mac"))
                        add_text(q, "r.mac =", json_string_value(value));
                else if (streq(name, "verdict"))
                        add_text(q, "r.verdict =", json_string_value(value));
                else if (streq(name, "image"))
                        add_image(q, json_string_value(value));
                else if (streq(name, "since_realtime_usec"))
                        add_time(q, ">=", json_integer_value(value));
                else if (streq(name, "until_realtime_usec"))
                        add_time(q, "<", json_integer_value(value));
        }
}

/* limit 0: all. 0 or -ENOMEM. */
static int make_query(struct query *q, const char *station, const json_t *parameters, int64_t limit)
{
        q->f = open_memstream(&q->text, &q->size);
        if (!q->f)
                return -ENOMEM;
        fputs(SELECT, q->f);
        if (station)
                add_station(q, station);
        add_filter(q, parameters);
        fputs(" ORDER BY r.start_time DESC, r.station_id, r.sequence DESC", q->f);
        if (limit > 0)
                fprintf(q->f, " LIMIT %" PRId64, limit);
        if (fclose(take_ptr(q->f)) == EOF)
                return -ENOMEM;
        for (size_t i = 0; i < q->n; i++)
                if (!q->values[i])
                        return -ENOMEM;
        return 0;
}

/* ---- answers ---- */

struct listing {
        struct attempt_table table;
        bool json;
        size_t n;
};

/* 0, -EPROTO or -ENOMEM. */
static int take_row(struct listing *listing, const char *station, const char *text)
{
        struct attempt_record *attempts = NULL;
        json_t *attempt = json_loads(text, 0, NULL), *page;
        size_t n = 0;
        int r;

        if (!attempt)
                return -EPROTO;
        if (listing->json) {
                json_object_set_new(attempt, "fleet_station", json_string(station));
                fputs(listing->n++ > 0 ? ",\n" : "", stdout);
                json_dumpf(attempt, stdout, JSON_COMPACT);
                json_decref(attempt);
                return 0;
        }
        page = json_pack("{s:[o]}", "attempts", attempt);
        r = page ? attempts_from_json(page, &attempts, &n) : -ENOMEM;
        if (r == 0)
                r = attempt_table_add(&listing->table, station, &attempts[0]);
        attempts_free(attempts, n);
        json_decref(page);
        return r;
}

static int database_failed(const PGconn *conn, const PGresult *result)
{
        const char *text = result ? pq.resultErrorMessage(result) : pq.errorMessage(conn);
        const char *code = result ? pq.resultErrorField(result, PG_DIAG_SQLSTATE) : NULL;

        text += str_has_prefix(text, "ERROR:  ") ? strlen("ERROR:  ") : 0;
        say_line("database: %.*s%s", (int)strcspn(text, "\n"), text,
                 code && streq(code, "3F000") ? ": expected the one that espdfu-collect fills" : "");
        return EXIT_NO_DAEMON;
}

/* Row by row: the list may be long. */
static int take_rows(struct listing *listing, PGconn *conn)
{
        PGresult *result;
        int r = EXIT_DONE;

        while ((result = pq.getResult(conn))) {
                ExecStatusType status = pq.resultStatus(result);
                int row = 0;

                if (status == PGRES_SINGLE_TUPLE && r == EXIT_DONE)
                        row = take_row(listing, pq.getvalue(result, 0, 0), pq.getvalue(result, 0, 1));
                if (row == -EPROTO) {
                        say_line("database: an attempt is not understood: expected the store of "
                                 "espdfu-collect");
                        r = EXIT_FAILED;
                } else if (row < 0) {
                        r = fleet_no_memory();
                } else if (status != PGRES_SINGLE_TUPLE && status != PGRES_TUPLES_OK && r == EXIT_DONE) {
                        r = database_failed(conn, result);
                }
                pq.clear(result);
                if (ferror(stdout))
                        break;
        }
        return r;
}

static int ask(const struct query *q, PGconn *conn, bool json, const struct table_choice *choice)
{
        struct listing listing = { .json = json };
        int r = EXIT_DONE;

        if (!pq.sendQueryParams(conn, q->text, (int)q->n, NULL, (const char *const *)q->values, NULL, NULL,
                                0))
                return database_failed(conn, NULL);
        pq.setSingleRowMode(conn);
        if (json)
                fputs("{\"attempts\": [\n", stdout);
        else if (attempt_table_init(&listing.table, true, choice) < 0)
                return fleet_no_memory();
        r = take_rows(&listing, conn);
        if (json)
                fputs("\n]}\n", stdout);
        else if (r == EXIT_DONE && attempt_table_print(&listing.table, choice) < 0)
                r = fleet_no_memory();
        attempt_table_done(&listing.table);
        return r;
}

/* A name that is mistyped is no station without attempts. EXIT_DONE where the store has it. */
static int find_station(PGconn *conn, const char *station)
{
        PGresult *result;
        int r = EXIT_DONE;

        if (!station)
                return EXIT_DONE;
        if (!pq.sendQueryParams(conn, "SELECT FROM espdfu.station WHERE name = $1 OR station_id = $1 LIMIT 1",
                                1, NULL, &station, NULL, NULL, 0))
                return database_failed(conn, NULL);
        while ((result = pq.getResult(conn))) {
                if (pq.resultStatus(result) != PGRES_TUPLES_OK) {
                        r = database_failed(conn, result);
                } else if (pq.ntuples(result) == 0) {
                        say_line("history: no station %s: the database has nothing of it", station);
                        r = EXIT_FAILED;
                }
                pq.clear(result);
        }
        return r;
}

static int connect_and_ask(const struct query *q, const char *connection, const char *station, bool json,
                           const struct table_choice *choice)
{
        static const char *const names[] = {
                "connect_timeout", "options", "dbname", "client_encoding", "fallback_application_name", NULL
        };
        const char *const values[] = {
                "10", "-c statement_timeout=60s", connection ? connection : "", "UTF8", "espdfu-fleet", NULL
        };
        PGconn *conn = pq.connectdbParams(names, values, 1);
        int r;

        if (!conn)
                return fleet_no_memory();
        r = pq.status(conn) == CONNECTION_OK ? find_station(conn, station) : database_failed(conn, NULL);
        if (r == EXIT_DONE)
                r = ask(q, conn, json, choice);
        pq.finish(conn);
        return r;
}

static int list(const char *station, const struct history_query *filter, int64_t limit, bool json,
                const struct table_choice *choice)
{
        _cleanup_(query_done) struct query query = { 0 };
        _cleanup_(freep) char *why = NULL, *fault = NULL;
        struct settings settings = { 0 };
        json_t *parameters = NULL;
        int r = history_query_parameters(filter, "--", &parameters, &why);

        if (r == HISTORY_QUERY_WRONG) {
                say_line("%s", why);
                return EXIT_USAGE;
        }
        if (r == 0)
                r = make_query(&query, station, parameters, limit);
        json_decref(parameters);
        if (r < 0)
                return fleet_no_memory();
        if (!load_libpq())
                return EXIT_FAILED;
        r = fleet_settings(false, &settings);
        if (r != EXIT_DONE)
                return r;
        fault = settings.database.connection ? conninfo_fault(&pq.conninfo, settings.database.connection)
                                             : NULL;
        r = fault ? fleet_bad_setting(&settings, "database", "connection", fault)
                  : connect_and_ask(&query, settings.database.connection, station, json, choice);
        settings_done(&settings);
        return r;
}

int verb_history(int argc, char **argv)
{
        struct history_query filter = { 0 };
        struct table_choice choice = { 0 };
        const char *rows = NULL, *station = NULL;
        bool json = false, all = false;
        const struct client_option options[] = {
                { "all", .flag = &all },
                { "image", .value = &filter.image },
                { "json", .flag = &json },
                { "limit", .value = &rows },
                { "mac", .value = &filter.mac },
                { "since", .value = &filter.since },
                { "slot", .value = &filter.slot },
                { "station", .value = &station },
                { "until", .value = &filter.until },
                { "verdict", .value = &filter.verdict },
                TABLE_OPTIONS(choice),
        };
        int64_t limit = LIMIT_DEFAULT;
        int r = client_options(argc, argv, options, ARRAY_SIZE(options), 0);

        if (r != CLIENT_GO_ON)
                return r;
        if (rows && all) {
                say_line("history: --limit and --all: expected one or the other");
                return EXIT_USAGE;
        }
        if (rows && !client_number("--limit", rows, 1, INT32_MAX, &limit))
                return EXIT_USAGE;
        r = fleet_check_station("history", station);
        if (r != EXIT_DONE)
                return r;
        r = table_choice_read(&choice, "history", attempt_columns_of_stations, json);
        return r == EXIT_DONE ? list(station, &filter, all ? 0 : limit, json, &choice) : r;
}
