/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/integration/line.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/integration/standstill.h"

/* ---- files ------------------------------------------------------------------- */

char *line_path(const struct line *line, const char *name)
{
        return g_strdup_printf("%s/%s", line->dir, name);
}

static void write_text(const struct line *line, const char *name, const char *text)
{
        g_autofree char *path = line_path(line, name);

        assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void write_image(const struct line *line, const char *name, const struct sample_image *image)
{
        g_autofree char *path = line_path(line, name);

        assert_int_equal(sample_image_write(image, path), 0);
}

void line_configure(struct line *line, const char *config)
{
        g_autofree char *prefix = g_strdup_printf("%s/", line->dir);
        g_auto(GStrv) parts = g_strsplit(config, "@", -1);
        g_autofree char *text = g_strjoinv(prefix, parts);

        write_text(line, "conf/espdfud.conf", text);
}

void line_show_standstill(const struct line *line)
{
        g_autofree char *socket = line_path(line, "socket");

        standstill_show(bed_pid(line->daemon), socket);
}

static void remove_tree(const char *path)
{
        GDir *dir = g_dir_open(path, 0, NULL);
        const char *name;

        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *child = g_build_filename(path, name, NULL);

                remove_tree(child);
        }
        if (dir)
                g_dir_close(dir);
        g_remove(path);
}

/* ---- the daemon -------------------------------------------------------------- */

/* The S3's usual sample has 20 000 blocks, which is for the tests of big images. */
static void make_small_s3(struct sample_image *ret)
{
        const struct sample_spec spec = {
                .pid = 0x0009,
                .flash_size = 8 * MIB,
                .files = { { .name = "boot.bin", .address = 0, .size = 20000, .seed = 3 },
                           { .name = "app.bin", .address = 0x10000, .size = 60000, .seed = 11 } },
                .n_files = 2,
        };

        sample_image_make(&spec, ret);
}

void line_lay_out(struct line *line, const char *config)
{
        *line = (struct line){ .watch = -1, .bed = bed_new() };
        line->input.limit = VARLINK_REPLY_MAX;
        line->dir = g_dir_make_tmp("espdfu-line-XXXXXX", NULL);
        assert_non_null(line->dir);
        g_autofree char *conf = line_path(line, "conf");
        assert_int_equal(mkdir(conf, 0700), 0);
        sample_image_make_s2(&line->s2);
        make_small_s3(&line->s3);
        write_image(line, "s2.bin", &line->s2);
        write_image(line, "s3.bin", &line->s3);
        line_configure(line, config);
}

void line_begin(struct line *line, const char *config)
{
        line_lay_out(line, config);
        start_daemon(line);
}

void stop_watching(struct line *line)
{
        if (line->watch < 0)
                return;
        if (line->watch_source)
                g_source_remove(line->watch_source);
        line->watch_source = 0;
        close(line->watch);
        line->watch = -1;
        varlink_input_done(&line->input);
        line->input = (struct varlink_input){ .limit = VARLINK_REPLY_MAX };
        status_update_done(&line->status);
}

void line_end(struct line *line)
{
        if (line->daemon)
                stop_daemon(line);
        line->bed = bed_free(line->bed);
        sample_image_done(&line->s2);
        sample_image_done(&line->s3);
        remove_tree(line->dir);
        g_free(line->dir);
}

/* ---- the watcher ------------------------------------------------------------- */

static struct slot_status *find_slot(struct station_status *station, const char *name)
{
        for (size_t i = 0; i < station->n_slots; i++)
                if (streq(station->slots[i].slot, name))
                        return &station->slots[i];
        return NULL;
}

static void take_slot(struct station_status *station, struct slot_status *news)
{
        struct slot_status *slot = find_slot(station, news->slot);

        if (!slot) {
                station->slots = reallocarray(station->slots, station->n_slots + 1, sizeof(*slot));
                assert_non_null(station->slots);
                slot = &station->slots[station->n_slots++];
                *slot = (struct slot_status){ 0 };
        }
        slot_status_done(slot);
        *slot = *news;
        *news = (struct slot_status){ 0 };
}

/* Each message has a new header; the slots and policies stay where they are. */
static void take_header(struct station_status *station, struct station_status *news)
{
        struct station_status old = *station;

        *station = *news;
        station->slots = old.slots;
        station->n_slots = old.n_slots;
        station->policies = old.policies;
        station->n_policies = old.n_policies;
        old.slots = take_ptr(news->slots);
        old.n_slots = news->n_slots;
        old.policies = take_ptr(news->policies);
        old.n_policies = news->n_policies;
        station_status_done(&old);
        *news = (struct station_status){ 0 };
}

static void take_update(struct line *line, struct status_update *update)
{
        line->n_updates++;
        if (update->whole) {
                status_update_done(&line->status);
                line->status = *update;
                return;
        }
        for (size_t i = 0; i < update->station.n_slots; i++)
                take_slot(&line->status.station, &update->station.slots[i]);
        take_header(&line->status.station, &update->station);
        status_update_done(update);
}

static void take_messages(struct line *line)
{
        const char *text;
        size_t size;

        while (varlink_input_next(&line->input, &text, &size) == 0) {
                struct varlink_reply reply;
                struct status_update update;

                assert_int_equal(varlink_reply_parse(text, size, &reply), 0);
                assert_null(reply.error);
                assert_int_equal(status_update_from_json(reply.parameters, &update), 0);
                varlink_reply_done(&reply);
                take_update(line, &update);
        }
}

static gboolean on_watch(gint fd, GIOCondition condition, gpointer userdata)
{
        struct line *line = userdata;
        char buffer[65536];
        ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);

        (void)condition;
        if (n < 0 && errno == EAGAIN)
                return G_SOURCE_CONTINUE;
        if (n <= 0) {
                line->watch_source = 0;
                return G_SOURCE_REMOVE; /* the daemon ended */
        }
        assert_int_equal(varlink_input_feed(&line->input, buffer, (size_t)n), 0);
        take_messages(line);
        return G_SOURCE_CONTINUE;
}

void start_watching(struct line *line)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_(freep) char *call = NULL;
        size_t size;

        g_snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", line->dir);
        line->watch = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(line->watch, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(varlink_call_encode(STATION_INTERFACE ".Status", NULL, true, &call, &size), 0);
        assert_int_equal(send(line->watch, call, size, 0), size);
        line->watch_source = g_unix_fd_add(line->watch, G_IO_IN | G_IO_HUP, on_watch, line);
}

/* ---- waiting ------------------------------------------------------------------ */

struct expectation {
        struct line *line;
        const char *slot;
        enum phase phase;
        enum verdict verdict;
        uint64_t bytes;
        unsigned long n_updates;
        const char *text;
};

const struct slot_status *slot_of(struct line *line, const char *slot)
{
        return find_slot(&line->status.station, slot);
}

/* Waits; on failure prints what there is. */
static void expect(struct line *line, const char *what, bool (*holds)(void *userdata), struct expectation *e)
{
        const struct slot_status *slot;

        if (bed_wait(line->bed, holds, e, PATIENCE))
                return;
        slot = e->slot ? slot_of(line, e->slot) : NULL;
        if (slot)
                print_message(
                        "slot %s: %s, %" PRIu64 " of %" PRIu64 ", attempt %u, message %s, last %s: %s\n",
                        slot->slot, phase_to_string(slot->phase), slot->bytes_done, slot->bytes_total,
                        slot->attempt, slot->message ? slot->message : "-",
                        verdict_to_string(slot->last_verdict), slot->last_message ? slot->last_message : "-");
        print_message("the daemon said:\n%s\n", line->daemon ? bed_output(line->daemon) : "(not running)");
        if (line->daemon)
                line_show_standstill(line);
        fail_msg("waited in vain: %s", what);
}

static bool output_has_text(void *userdata)
{
        struct expectation *e = userdata;

        return strstr(bed_output(e->line->daemon), e->text) || !bed_child_runs(e->line->daemon);
}

static bool is_told(void *userdata)
{
        struct expectation *e = userdata;

        return e->line->n_updates > e->n_updates;
}

static bool is_in_phase(void *userdata)
{
        struct expectation *e = userdata;
        const struct slot_status *slot = slot_of(e->line, e->slot);

        return slot && slot->phase == e->phase;
}

static bool has_verdict(void *userdata)
{
        struct expectation *e = userdata;
        const struct slot_status *slot = slot_of(e->line, e->slot);

        return slot && slot->last_verdict == e->verdict;
}

static bool has_message(void *userdata)
{
        struct expectation *e = userdata;
        const struct slot_status *slot = slot_of(e->line, e->slot);

        return slot && slot->message && strstr(slot->message, e->text);
}

static bool is_held(void *userdata)
{
        struct expectation *e = userdata;
        const char *held = e->line->status.station.held;

        return e->text ? held && strstr(held, e->text) : !held;
}

static bool has_bytes(void *userdata)
{
        struct expectation *e = userdata;
        const struct slot_status *slot = slot_of(e->line, e->slot);

        return slot && slot->bytes_done >= e->bytes;
}

void expect_log(struct line *line, const char *text)
{
        struct expectation e = { .line = line, .text = text };

        expect(line, text, output_has_text, &e);
        assert_non_null(strstr(bed_output(line->daemon), text));
}

void expect_phase(struct line *line, const char *slot, enum phase phase)
{
        struct expectation e = { .line = line, .slot = slot, .phase = phase };

        expect(line, phase_to_string(phase), is_in_phase, &e);
}

void expect_message(struct line *line, const char *slot, const char *text)
{
        struct expectation e = { .line = line, .slot = slot, .text = text };

        expect(line, text, has_message, &e);
}

void expect_held(struct line *line, const char *text)
{
        struct expectation e = { .line = line, .text = text };

        expect(line, text ? text : "not held", is_held, &e);
}

void expect_last_verdict(struct line *line, const char *slot, enum verdict verdict)
{
        struct expectation e = { .line = line, .slot = slot, .verdict = verdict };

        expect(line, verdict_to_string(verdict), has_verdict, &e);
}

void expect_bytes_done(struct line *line, const char *slot, uint64_t at_least)
{
        struct expectation e = { .line = line, .slot = slot, .bytes = at_least };

        expect(line, "progress", has_bytes, &e);
}

/* An assertion leaves the function: nothing is asserted while the bed holds still, else it does so for ever. */
static struct rom_counters counters_of(struct line *line, struct bed_board *board)
{
        struct rom_counters counters;

        bed_lock(line->bed);
        counters = *rom_counters(bed_rom(board));
        bed_unlock(line->bed);
        return counters;
}

bool flash_is_right(struct line *line, struct bed_board *board)
{
        const struct sample_image *image = rom_pid(bed_rom(board)) == 0x0002 ? &line->s2 : &line->s3;
        bool right;

        bed_lock(line->bed);
        right = rom_flash_has_image(bed_rom(board), image->data, image->payload_size);
        bed_unlock(line->bed);
        return right;
}

void expect_flashed(struct line *line, const char *slot, struct bed_board *board)
{
        struct rom_counters counters;

        expect_phase(line, slot, PHASE_FLASHED);
        counters = counters_of(line, board);
        assert_true(flash_is_right(line, board));
        assert_int_equal(counters.raw_downloads, 0);
        assert_int_equal(counters.violations, 0);
}

void expect_untouched(struct line *line, struct bed_board *board)
{
        struct rom_counters counters = counters_of(line, board);

        assert_int_equal(counters.requests[ROM_DETACH], 0);
        assert_int_equal(counters.requests[ROM_DNLOAD], 0);
        assert_int_equal(counters.written_pages, 0);
}

/* ---- programs ------------------------------------------------------------------ */

void launch_daemon(struct line *line)
{
        g_autofree char *conf = line_path(line, "conf"), *state = line_path(line, "state"),
                        *socket = line_path(line, "socket");
        const char *argv[12] = { ESPDFUD, "--config", conf, "--state", state, "--socket", socket };
        size_t n = 7;
        struct bed_spawn_options show = { .environment = line->environment,
                                          .show_output = getenv("LINE_SHOW") != NULL };

        if (!line->quiet)
                argv[n++] = "--verbose";
        if (line->engine) {
                argv[n++] = "--engine";
                argv[n++] = line->engine;
        }
        line->daemon = bed_spawn(line->bed, argv, &show);
}

void start_daemon(struct line *line)
{
        launch_daemon(line);
        expect_ready(line);
}

void expect_ready(struct line *line)
{
        struct expectation e = { .line = line, .n_updates = line->n_updates };

        expect_log(line, "is ready on");
        start_watching(line);
        expect(line, "the first status", is_told, &e);
}

void stop_daemon(struct line *line)
{
        int status;

        stop_watching(line);
        bed_kill(line->daemon, SIGTERM);
        status = bed_wait_child(line->daemon, PATIENCE);
        if (status == -ETIMEDOUT)
                line_show_standstill(line);
        if (status != 0)
                fail_msg("espdfud did not exit with 0; it said:\n%s", bed_output(line->daemon));
        line->daemon = NULL;
}

void kill_daemon(struct line *line)
{
        stop_watching(line);
        bed_kill(line->daemon, SIGKILL);
        assert_int_equal(bed_wait_child(line->daemon, PATIENCE), -SIGKILL);
        line->daemon = NULL;
}

void reload_daemon(struct line *line)
{
        struct expectation e = { .line = line, .n_updates = line->n_updates };

        bed_kill(line->daemon, SIGHUP);
        expect(line, "the status after a reload", is_told, &e);
}

int ctl(struct line *line, char **ret_output, const char *const *arguments)
{
        g_autofree char *socket = line_path(line, "socket");
        const char *argv[24] = { ESPDFUCTL, "--socket", socket };
        struct bed_spawn_options options = { .outside = true };
        struct bed_child *child;
        size_t n = 3;
        int status;

        for (size_t i = 0; arguments[i] && n < ARRAY_SIZE(argv) - 1; i++)
                argv[n++] = arguments[i];
        child = bed_spawn(line->bed, argv, &options);
        status = bed_wait_child(child, PATIENCE);
        if (status == -ETIMEDOUT)
                standstill_show(bed_pid(child), NULL);
        if (line->daemon && (status == -ETIMEDOUT || strstr(bed_output(child), "does not answer within")))
                line_show_standstill(line);
        if (ret_output)
                *ret_output = g_strdup(bed_output(child));
        return status;
}

void expect_said(const char *said, const char *text)
{
        if (!said || !strstr(said, text))
                fail_msg("expected: %s\nthere was: %s", text, said ? said : "nothing");
}

void expect_ctl(struct line *line, const char *text, const char *const *arguments)
{
        g_autofree char *said = NULL;

        if (ctl(line, &said, arguments) != 0)
                fail_msg("espdfuctl %s: %s", arguments[0], said);
        expect_said(said, text);
}

uint64_t line_now_usec(void)
{
        return (uint64_t)g_get_monotonic_time();
}

/* ---- boards -------------------------------------------------------------------- */

struct bed_board *plug_with(struct line *line, const char *port, const struct rom_config *config)
{
        return bed_plug(line->bed, port, config);
}

struct bed_board *plug(struct line *line, const char *port, enum rom_chip chip)
{
        return plug_with(line, port,
                         &(struct rom_config){ .chip = chip, .mac = { 0x7c, 0xdf, 0xa1, 0x0b, 0, 0x12 } });
}
