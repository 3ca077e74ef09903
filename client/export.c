/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfuctl export: attempts with all that the ledger has of them, the oldest first, for other programs. */
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <unistd.h>

#include "client/client.h"
#include "client/filters.h"
#include "core/attempt-csv.h"
#include "io/file-write.h"

struct export
{
        FILE *out;
        bool csv;
        const char *path; /* for messages; NULL: stdout */
};

static int out_of_memory(void)
{
        client_error("out of memory");
        return EXIT_FAILED;
}

/* ---- one attempt ---- */

/* attempt NULL: the names. */
static int write_csv(FILE *out, const json_t *attempt)
{
        _cleanup_(bytes_done) struct bytes line = { 0 };

        if (attempt_to_csv(&line, attempt) < 0)
                return out_of_memory();
        fwrite(line.data, 1, line.len, out);
        return EXIT_DONE;
}

static int write_json(FILE *out, const json_t *attempt)
{
        if (json_dumpf(attempt, out, JSON_COMPACT) < 0 && !ferror(out))
                return out_of_memory();
        putc('\n', out);
        return EXIT_DONE;
}

/* ---- all of them ---- */

#define READER_LEFT (-1)

/* What was written goes out: a reader who has enough ends it, and that is no error. */
static int flush(const struct export *e)
{
        int error = ferror(e->out) ? errno : 0; /* of a write before this one */

        errno = 0;
        if (fflush(e->out) == 0 && !ferror(e->out))
                return EXIT_DONE;
        error = errno ? errno : error;
        __fpurge(e->out); /* it was told once, and is not tried again */
        clearerr(e->out);
        if (!e->path && error == EPIPE)
                return READER_LEFT;
        client_error("%s%scannot write: %s", e->path ? e->path : "", e->path ? ": " : "",
                     error ? strerror(error) : "a part was lost");
        return EXIT_FAILED;
}

static int write_page(const struct export *e, const json_t *parameters)
{
        const json_t *attempt;
        size_t i;
        int r = EXIT_DONE;

        if (!json_is_array(json_object_get(parameters, "attempts")))
                return client_misread(-EPROTO);
        errno = 0;
        json_array_foreach(json_object_get(parameters, "attempts"), i, attempt)
        {
                if (ferror(e->out))
                        break;
                r = e->csv ? write_csv(e->out, attempt) : write_json(e->out, attempt);
                if (r != EXIT_DONE)
                        return r;
        }
        return flush(e);
}

static int write_all(const struct export *e, struct connection *connection)
{
        struct varlink_reply reply;
        bool continues = true;
        int r = e->csv ? write_csv(e->out, NULL) : EXIT_DONE;

        while (r == EXIT_DONE && continues) {
                r = client_reply(connection, &reply);
                if (r != EXIT_DONE)
                        return r;
                continues = reply.continues;
                r = write_page(e, reply.parameters);
                varlink_reply_done(&reply);
        }
        return r;
}

static int to_stdout(struct export *e, struct connection *connection)
{
        int r;

        signal(SIGPIPE, SIG_IGN);
        e->out = stdout;
        r = write_all(e, connection);
        return r == READER_LEFT ? EXIT_DONE : r;
}

static int cannot_write(const char *path, int r)
{
        client_error("%s: cannot be written: %s", path,
                     r == -EINVAL ? "a device or pipe: expected a regular file" : file_write_error_text(r));
        return EXIT_FAILED;
}

/* The file is there as a whole, or as it was before. */
static int to_file(struct export *e, struct connection *connection)
{
        _cleanup_(new_file_done) struct new_file file = NEW_FILE_NONE;
        int r = new_file_open(e->path, &file);
        int fd = r < 0 ? -1 : dup(file.fd);

        if (r < 0)
                return cannot_write(e->path, r);
        e->out = fd < 0 ? NULL : fdopen(fd, "w");
        if (!e->out) {
                if (fd >= 0)
                        close(fd);
                return cannot_write(e->path, -errno);
        }
        r = write_all(e, connection);
        if (fclose(e->out) != 0 && r == EXIT_DONE)
                return cannot_write(e->path, -errno);
        if (r != EXIT_DONE)
                return r;
        r = new_file_commit(&file);
        return r < 0 ? cannot_write(e->path, r) : EXIT_DONE;
}

int verb_export(int argc, char **argv)
{
        _cleanup_(connection_closep) struct connection *connection = NULL;
        struct history_query filter = { 0 };
        const char *format = NULL, *output = NULL;
        const struct client_option options[] = {
                { "format", .value = &format },
                { "output", .value = &output },
                FILTER_OPTIONS(filter),
        };
        struct export e = { 0 };
        json_t *parameters;
        int r;

        r = client_options(argc, argv, options, ARRAY_SIZE(options), 0);
        if (r != CLIENT_GO_ON)
                return r;
        if (!format || (!streq(format, "csv") && !streq(format, "json"))) {
                client_error("export: --format%s%s: expected csv or json", format ? " " : "",
                             format ? format : "");
                return EXIT_USAGE;
        }
        if (output && !*output) {
                client_error("export: --output '': expected the path of a file");
                return EXIT_USAGE;
        }
        r = filter_parameters(&filter, &parameters);
        if (r != EXIT_DONE)
                return r;
        if (json_object_set_new(parameters, "oldest_first", json_true()) < 0) {
                json_decref(parameters);
                return out_of_memory();
        }
        r = client_call(STATION_INTERFACE ".History", parameters, true, &connection);
        if (r != EXIT_DONE)
                return r;
        e.csv = streq(format, "csv");
        e.path = output;
        return output ? to_file(&e, connection) : to_stdout(&e, connection);
}
