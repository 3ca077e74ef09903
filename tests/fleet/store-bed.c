/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fleet/store-bed.h"

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "io/clock.h"

#define PATIENCE     (20 * USEC_PER_SEC)
#define UNPRIVILEGED "nobody"

struct store_bed store_bed;

static const char *database; /* of sql() */
static PGconn *connected;    /* to that */
static char answer[256 * 1024];

/* ---- programs, as somebody who is not root ---- */

/* Below the directory of the newest version that is installed. */
static const char *program(const char *name)
{
        static char path[256];
        glob_t found;

        assert_int_equal(glob("/usr/lib/postgresql/*/bin", 0, NULL, &found), 0);
        snprintf(path, sizeof(path), "%s/%s", found.gl_pathv[found.gl_pathc - 1], name);
        globfree(&found);
        return path;
}

static pid_t start_unprivileged(const char *log, const char *const *arguments)
{
        const char *argv[24] = { "/usr/bin/setpriv", ("--reuid=" UNPRIVILEGED), "--regid=nogroup",
                                 "--clear-groups", "--pdeathsig=INT" };
        size_t n = getuid() == 0 ? 5 : 0;

        while (*arguments)
                argv[n++] = *arguments++;
        return start_program(log, argv);
}

static void run_unprivileged(const char *const *arguments)
{
        int status = end_program(start_unprivileged("store-setup.log", arguments), 0);

        if (status != 0) {
                _cleanup_(freep) char *said = text_of(bed_file("store-setup.log"));

                fail_msg("%s: status %#x:\n%s", arguments[0], (unsigned)status, said);
        }
}

/* ---- the server ---- */

static bool takes_connections(void)
{
        char connection[160];

        snprintf(connection, sizeof(connection), "host=%s user=postgres dbname=postgres", store_bed.dir);
        return PQping(connection) == PQPING_OK;
}

void start_database(void)
{
        char data[96], directory[128];
        const char *argv[] = { program("postgres"), "-D", data,      "-c",
                               "listen_addresses=", "-c", directory, NULL };
        uint64_t deadline = monotonic_usec() + PATIENCE;

        snprintf(data, sizeof(data), "%s/data", store_bed.dir);
        snprintf(directory, sizeof(directory), "unix_socket_directories=%s", store_bed.dir);
        store_bed.server = start_unprivileged("store.log", argv);
        while (!takes_connections()) {
                if (waitpid(store_bed.server, NULL, WNOHANG) != 0 || monotonic_usec() >= deadline) {
                        _cleanup_(freep) char *said = text_of(bed_file("store.log"));

                        fail_msg("postgres does not start:\n%s", said);
                }
                usleep(5000); /* it has no other sign of its readiness */
        }
}

static void forget_connection(void)
{
        PQfinish(connected);
        connected = NULL;
}

void stop_database(void)
{
        forget_connection();
        end_program(store_bed.server, SIGINT);
        store_bed.server = 0;
}

void crash_database(void)
{
        forget_connection();
        end_program(store_bed.server, SIGQUIT);
        store_bed.server = 0;
}

int store_bed_setup(void **state)
{
        char data[96];
        const char *argv[] = {
                program("initdb"),  "-D",        data, "-A", "trust", "-U", "postgres", "-E", "UTF8",
                "--locale=C.UTF-8", "--no-sync", NULL
        };
        const struct passwd *user = getpwnam(UNPRIVILEGED);

        (void)state;
        snprintf(store_bed.dir, sizeof(store_bed.dir), "/tmp/test-store.XXXXXX");
        assert_non_null(mkdtemp(store_bed.dir));
        if (getuid() == 0)
                assert_int_equal(chown(store_bed.dir, user->pw_uid, user->pw_gid), 0);
        snprintf(data, sizeof(data), "%s/data", store_bed.dir);
        run_unprivileged(argv);
        start_database();
        snprintf(store_bed.connection, sizeof(store_bed.connection), "%s", new_database("espdfu"));
        return 0;
}

int store_bed_teardown(void **state)
{
        const char *argv[] = { "/bin/rm", "-rf", store_bed.dir, NULL };

        (void)state;
        forget_connection();
        if (store_bed.server > 0)
                end_program(store_bed.server, SIGQUIT);
        store_bed.server = 0;
        return getenv("KEEP_BED") ? 0 : end_program(start_program("store-setup.log", argv), 0);
}

int beds_setup(void **state)
{
        return bed_setup(state) || store_bed_setup(state);
}

int store_alone_setup(void **state)
{
        return bed_directory(state) || store_bed_setup(state);
}

int beds_teardown(void **state)
{
        return store_bed_teardown(state) || bed_teardown(state);
}

const char *write_collect_conf(const char *name, const char *connection)
{
        char text[1024];

        snprintf(text, sizeof(text),
                 "[broker]\nhost = localhost\nport = %u\nca-file = %s\nuser = collect\npassword-file = %s\n"
                 "keep-alive = 5\nretry-max = 1\n[database]\nconnection = %s\nbatch-wait = 20\n",
                 bed.port, bed_file("ca.crt"), bed_file("collect.password"), connection);
        return write_file(name, text);
}

/* ---- SQL ---- */

void sql_in(const char *connection)
{
        forget_connection();
        database = connection;
}

static void on_notice(void *userdata, const char *text)
{
        (void)userdata, (void)text;
}

static PGconn *connection(void)
{
        if (!connected) {
                connected = PQconnectdb(database ? database : store_bed.connection);
                PQsetNoticeProcessor(connected, on_notice, NULL);
        }
        if (PQstatus(connected) != CONNECTION_OK)
                fail_msg("no database: %s", PQerrorMessage(connected));
        return connected;
}

static void put_down(const PGresult *result)
{
        size_t used = 0;

        answer[0] = '\0';
        for (int row = 0; row < PQntuples(result); row++)
                for (int cell = 0; cell < PQnfields(result); cell++)
                        used += (size_t)snprintf(answer + MIN(used, sizeof(answer)),
                                                 sizeof(answer) - MIN(used, sizeof(answer)), "%s%s",
                                                 cell > 0  ? "|"
                                                 : row > 0 ? "\n"
                                                           : "",
                                                 PQgetvalue(result, row, cell));
        assert_true(used < sizeof(answer));
}

/* The SQLSTATE, "" where there is none. */
static const char *ask(const char *text, char message[static 1024])
{
        static char state[6];
        PGresult *result = PQexec(connection(), text);
        const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        ExecStatusType status = PQresultStatus(result);

        snprintf(state, sizeof(state), "%s", code ? code : status == PGRES_FATAL_ERROR ? "08006" : "");
        snprintf(message, 1024, "%s", PQresultErrorMessage(result));
        put_down(result);
        PQclear(result);
        return state;
}

const char *sql(const char *format, ...)
{
        _cleanup_(freep) char *text = NULL;
        char message[1024];
        va_list ap;

        va_start(ap, format);
        assert_true(vasprintf(&text, format, ap) >= 0);
        va_end(ap);
        if (*ask(text, message))
                fail_msg("%.300s\n%s", text, message);
        return answer;
}

const char *sql_state(const char *format, ...)
{
        _cleanup_(freep) char *text = NULL;
        char message[1024];
        va_list ap;

        va_start(ap, format);
        assert_true(vasprintf(&text, format, ap) >= 0);
        va_end(ap);
        return ask(text, message);
}

void sql_file(const char *path)
{
        _cleanup_(freep) char *text = text_of(path);
        char message[1024];

        assert_true(*text);
        if (*ask(text, message))
                fail_msg("%s: %s", path, message);
}

void expect_sql(const char *expected, const char *query)
{
        uint64_t deadline = monotonic_usec() + PATIENCE;

        while (!streq(sql("%s", query), expected)) {
                if (monotonic_usec() >= deadline)
                        fail_msg("waited 20 s for \"%s\" of %s: it is \"%s\"", expected, query, answer);
                usleep(10000); /* what another program commits has no event here */
        }
}

const char *new_database(const char *name)
{
        static char text[160];
        char main_database[160];
        const char *before = database;

        snprintf(main_database, sizeof(main_database), "host=%s user=postgres dbname=postgres",
                 store_bed.dir);
        sql_in(main_database);
        sql("DROP DATABASE IF EXISTS %s WITH (FORCE)", name);
        sql("CREATE DATABASE %s", name);
        sql_in(before);
        snprintf(text, sizeof(text), "host=%s user=postgres dbname=%s", store_bed.dir, name);
        return text;
}
