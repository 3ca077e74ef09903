/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The vocabulary of the integration tests: a production line. A bed of modelled boards, the real espdfud with a
 * configuration of the test's, and what a watcher of its socket is told.
 *
 *      line_begin(&line, "[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\n");
 *      board = plug(&line, "1-4.1", ROM_S2);
 *      expect_flashed(&line, "1-4.1", board);
 *      line_end(&line);
 *
 * An expectation waits for the event that fulfils it, within PATIENCE; else the test fails and says what there was.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glib.h>
#undef MIN /* core/util.h has its own */
#undef MAX

#include "core/messages.h"
#include "core/varlink.h"
#include "tests/rom/bed.h"

#define PATIENCE (60 * USEC_PER_SEC)

struct line {
        struct bed *bed;
        char *dir; /* of everything: conf/, state/, socket, the images */
        struct bed_child *daemon;
        const char *engine;             /* another program instead of espdfu-engine; NULL: that one */
        const char *const *environment; /* of the daemon, beside the bed's: as in struct bed_spawn_options */
        bool quiet;                     /* the daemon says no more than it would in life */
        struct sample_image s2, s3;     /* also dir/s2.bin, dir/s3.bin */
        int watch;                      /* the socket, or -1 */
        guint watch_source;
        struct varlink_input input;
        struct status_update status; /* as told last, whole */
        unsigned long n_updates;
};

/* In a configuration @NAME stands for a file of the line's directory. Starts the daemon, waits until it is ready. */
void line_begin(struct line *line, const char *config);
/* As line_begin(), without the daemon. */
void line_lay_out(struct line *line, const char *config);
/* Ends the daemon if it runs, and removes everything. */
void line_end(struct line *line);

void line_configure(struct line *line, const char *config);
char *line_path(const struct line *line, const char *name); /* to be freed */
/* The last words about its daemon, which runs: see standstill.h. */
void line_show_standstill(const struct line *line);

/* The program runs; it may be long until it is ready. */
void launch_daemon(struct line *line);
void start_daemon(struct line *line);
/* One that was launched; then it is watched. */
void expect_ready(struct line *line);
/* start_daemon() watches, stop_daemon() ends it: a watcher costs the daemon something. */
void start_watching(struct line *line);
void stop_watching(struct line *line);
/* SIGTERM; fails unless it exits with 0. */
void stop_daemon(struct line *line);
void kill_daemon(struct line *line);
void reload_daemon(struct line *line);
/* Runs espdfuctl with this line's socket. Returns its exit status; *ret_output (to be freed; may be NULL) what it wrote. */
int ctl(struct line *line, char **ret_output, const char *const *arguments);
/* It does it, and says text ("" for anything). */
void expect_ctl(struct line *line, const char *text, const char *const *arguments);
/* CLOCK_MONOTONIC. */
uint64_t line_now_usec(void);
/* said has text in it. */
void expect_said(const char *said, const char *text);

/* An S2 or S3 … in run-time mode, as it comes from the bag, with the timing of a quick bus. */
struct bed_board *plug(struct line *line, const char *port, enum rom_chip chip);
struct bed_board *plug_with(struct line *line, const char *port, const struct rom_config *config);

const struct slot_status *slot_of(struct line *line, const char *slot); /* NULL: not there */
void expect_phase(struct line *line, const char *slot, enum phase phase);
/* It says why it is as it is, with this text in it. */
void expect_message(struct line *line, const char *slot, const char *text);
/* The header says that the station is held, with this text in it; NULL: that it is not. */
void expect_held(struct line *line, const char *text);
void expect_last_verdict(struct line *line, const char *slot, enum verdict verdict);
void expect_bytes_done(struct line *line, const char *slot, uint64_t at_least);
/* Phase flashed, and the flash holds what the image of its chip says. */
void expect_flashed(struct line *line, const char *slot, struct bed_board *board);
/* Whether it does. */
bool flash_is_right(struct line *line, struct bed_board *board);
void expect_log(struct line *line, const char *text);
/* Whether nothing that could write to the board was ever sent. */
void expect_untouched(struct line *line, struct bed_board *board);
