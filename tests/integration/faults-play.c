/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Plays cells side by side: each board is plugged in with its fault, what the test's hand has to do is done when it has
 * struck, and the cell is over when its slot rests. Nothing waits for time but what a fault is made of.
 */
#include "tests/integration/faults.h"

#include <signal.h>

/* A good neighbour is at work while the faults strike: some seconds. */
#define GOOD_TRANSFER_USEC 2500
#define PORTS_OF_A_HUB     16

/* The policies' and the station's own times and numbers: what is documented is what a station does that was told nothing. */
static const char config[] = "[policy lax]\nport = 9-*\nmode = any\nimage = @s3.bin\n"
                             "[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\n"
                             "[policy probe]\nchip = esp32s3\nimage = @s3.bin\n";

/* Small, and still with some GETSTATUS on the way: each 256 blocks. */
static void make_image(struct faults *f, const char *name, uint16_t pid, struct sample_image *image)
{
        const struct sample_spec spec = {
                .pid = pid,
                .flash_size = 4 * MIB,
                .files = { { "boot.bin", 0x1000, 17000, 3 }, { "app.bin", 0x10000, 21000, 11 } },
                .n_files = 2,
        };
        g_autofree char *path = line_path(&f->line, name);

        sample_image_done(image);
        sample_image_make(&spec, image);
        assert_int_equal(sample_image_write(image, path), 0);
}

void faults_begin_line(struct faults *f)
{
        line_lay_out(&f->line, config);
        f->line.quiet = true;
        g_snprintf(f->full_disk, sizeof(f->full_disk), "ESPDFU_FULL_DISK=%s/disk-is-full", f->line.dir);
        f->environment[0] = f->full_disk;
        f->environment[1] = "LD_PRELOAD=" FULL_DISK ":" BED_PRELOAD ":libumockdev-preload.so.0";
        f->line.environment = f->environment;
        make_image(f, "s2.bin", 0x0002, &f->line.s2);
        make_image(f, "s3.bin", 0x0009, &f->line.s3);
        fault_find_blocks(f);
        start_daemon(&f->line);
        f->n_good = 0;
}

void faults_end_line(struct faults *f)
{
        line_end(&f->line);
        f->n_now = 0;
}

/* ---- boards ---- */

static unsigned take_number(void)
{
        static unsigned n;

        return n++;
}

static struct bed_board *plug_numbered(struct faults *f, const char *port, struct rom_config board,
                                       const struct rom_fault *fault)
{
        unsigned number = take_number();
        struct bed_board *bed;

        memcpy(board.mac, (uint8_t[]){ 0x7c, 0xdf, 0xa1, 0x0b, (uint8_t)(number >> 8), (uint8_t)number }, 6);
        board.flash_size = 4 * MIB;
        bed = bed_plug(f->line.bed, port, &board);
        if (fault) {
                bed_lock(f->line.bed);
                rom_add_fault(bed_rom(bed), fault);
                bed_unlock(f->line.bed);
        }
        return bed;
}

void faults_plug(struct faults *f, struct fault_cell *cell, const struct rom_fault *fault)
{
        struct rom_config board = { .chip = cell->row->chip,
                                    .lies_in_dfu_mode_alone = cell->moment != BEFORE_DETACH };

        memcpy(board.lies, cell->row->lies, sizeof(board.lies));
        cell->board = plug_numbered(f, cell->port, board, fault);
}

void faults_plug_good(struct faults *f, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                const struct rom_config board = { .chip = i % 2 ? ROM_S2 : ROM_S3,
                                                  .timing = { .transfer_usec = GOOD_TRANSFER_USEC } };

                g_snprintf(f->good_port[i], sizeof(f->good_port[i]), "1-4.%zu", i + 1);
                f->good[i] = plug_numbered(f, f->good_port[i], board, NULL);
        }
        f->n_good = n;
}

/* ---- what is due; all with the bed's lock ---- */

static const struct rom_counters *counters_of(struct bed_board *board)
{
        return rom_counters(bed_rom(board));
}

static bool has_struck(struct faults *f, const struct fault_cell *cell)
{
        const struct slot_status *slot = slot_of(&f->line, cell->port);

        if (cell->moment == AFTER_VERDICT)
                return slot && slot->phase == PHASE_FLASHED;
        if (cell->row->lies[0].offset > 0)
                return true; /* it has lied by then */
        return counters_of(cell->board)->strikes > 0 &&
               (cell->row->deed != DEED_STOP_ENGINE || bed_board_is_waited_for(cell->board));
}

/* An ESP32-S2 that is back after its verdict is a new board, and is flashed once more. */
static unsigned times_to_be_flashed(const struct fault_cell *cell)
{
        return cell->moment == AFTER_VERDICT && !cell->second && cell->row->chip == ROM_S2 ? 2 : 1;
}

bool faults_at_rest(struct faults *f, const struct fault_cell *cell)
{
        const struct slot_status *slot = slot_of(&f->line, cell->port);
        const struct fault_strike *strike = &cell->row->at[cell->moment];
        struct bed_board *board = cell->second ? cell->second : cell->board;

        if (strike->says && !(slot && slot->message && strstr(slot->message, strike->says)))
                return false;
        if (strike->has_rest)
                return slot ? slot->phase == strike->rest : strike->rest == PHASE_EMPTY;
        if (!slot || slot->phase != (fault_is_good(cell) ? PHASE_FLASHED : PHASE_FAILED))
                return false;
        return !fault_is_good(cell) || counters_of(board)->completed >= times_to_be_flashed(cell);
}

static bool is_overdue(const struct fault_cell *cell)
{
        return cell->struck_usec + cell->row->limit_sec * USEC_PER_SEC < line_now_usec();
}

static bool is_due(struct faults *f, const struct fault_cell *cell)
{
        switch (cell->step) {
        case CELL_WAITS:
                return has_struck(f, cell) || is_overdue(cell);
        case CELL_IS_AWAY:
                return line_now_usec() >= cell->back_usec;
        case CELL_IS_REPLACED:
                return bed_board_is_gone(cell->board);
        case CELL_GOES_ON:
                return faults_at_rest(f, cell) || is_overdue(cell);
        case CELL_RESTS:
                return false;
        }
        return false;
}

static bool somebody_is_due(void *userdata)
{
        struct faults *f = userdata;

        f->due = NULL;
        for (size_t i = 0; i < f->n_now && !f->due; i++)
                if (is_due(f, f->now[i]))
                        f->due = f->now[i];
        return f->due != NULL;
}

/* ---- the hand ---- */

/* The engine that has the board's node. */
static pid_t engine_of(struct faults *f, struct bed_board *board)
{
        int daemon = bed_pid(f->line.daemon);
        g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children", daemon, daemon), *text = NULL;
        g_auto(GStrv) pids = NULL;

        assert_true(g_file_get_contents(path, &text, NULL, NULL));
        pids = g_strsplit(g_strstrip(text), " ", -1);
        for (char **pid = pids; *pid; pid++) {
                g_autofree char *file = g_strdup_printf("/proc/%s/cmdline", *pid), *line = NULL;
                gsize size;

                if (!g_file_get_contents(file, &line, &size, NULL))
                        continue;
                for (gsize at = 0; at < size; at += strlen(line + at) + 1)
                        if (streq(line + at, bed_devnode(board)))
                                return (pid_t)strtol(*pid, NULL, 10);
        }
        return 0;
}

static void signal_engine(struct faults *f, struct fault_cell *cell, int signal)
{
        pid_t engine = engine_of(f, cell->board);

        if (engine <= 1 || kill(engine, signal) < 0)
                fault_is_wrong(cell, "there is no engine to be sent SIG%s", sigabbrev_np(signal));
}

static void put_another(struct faults *f, struct fault_cell *cell)
{
        enum rom_chip chip = cell->row->chip;

        if (cell->row->deed == DEED_OTHER_CHIP)
                chip = chip == ROM_S3 ? ROM_S2 : ROM_S3;
        cell->second = plug_numbered(f, cell->port, (struct rom_config){ .chip = chip }, NULL);
}

/* Nothing strikes by itself any more. */
static void strike_by_hand(struct faults *f, struct fault_cell *cell)
{
        (void)f;
        bed_pull(cell->board);
        cell->back_usec = line_now_usec() + cell->row->value;
        if (cell->row->value > 0)
                cell->step = CELL_IS_AWAY;
}

static void strike(struct faults *f, struct fault_cell *cell)
{
        cell->struck_usec = line_now_usec();
        cell->step = CELL_GOES_ON;
        if (cell->moment == AFTER_VERDICT)
                strike_by_hand(f, cell);
        switch (cell->row->deed) {
        case DEED_NONE:
                break;
        case DEED_ANOTHER:
        case DEED_OTHER_CHIP:
                cell->step = CELL_IS_REPLACED;
                break;
        case DEED_KILL_ENGINE:
                signal_engine(f, cell, SIGKILL);
                break;
        case DEED_STOP_ENGINE:
                signal_engine(f, cell, SIGSTOP);
                break;
        case DEED_PULL_HUB:
        case DEED_KILL_DAEMON:
        case DEED_FILL_DISK:
                g_assert_not_reached();
        }
}

static void move_on(struct faults *f, struct fault_cell *cell)
{
        switch (cell->step) {
        case CELL_WAITS:
                if (is_overdue(cell)) {
                        fault_is_wrong(cell, "it never struck");
                        cell->step = CELL_RESTS;
                        break;
                }
                strike(f, cell);
                break;
        case CELL_IS_AWAY:
                bed_replug(cell->board, NULL);
                cell->step = CELL_GOES_ON;
                break;
        case CELL_IS_REPLACED:
                put_another(f, cell);
                cell->step = CELL_GOES_ON;
                break;
        case CELL_GOES_ON:
                if (is_overdue(cell))
                        fault_is_wrong(cell, "not at rest within %u s", cell->row->limit_sec);
                cell->rest_usec = line_now_usec();
                cell->step = CELL_RESTS;
                break;
        case CELL_RESTS:
                break;
        }
}

static bool somebody_goes_on(const struct faults *f)
{
        for (size_t i = 0; i < f->n_now; i++)
                if (f->now[i]->step != CELL_RESTS)
                        return true;
        return false;
}

static bool goods_are_done(void *userdata)
{
        struct faults *f = userdata;

        for (size_t i = 0; i < f->n_good; i++) {
                const struct slot_status *slot = slot_of(&f->line, f->good_port[i]);

                if (!slot || slot->phase != PHASE_FLASHED)
                        return false;
        }
        return true;
}

void faults_finish(struct faults *f)
{
        while (somebody_goes_on(f))
                if (bed_wait(f->line.bed, somebody_is_due, f, PATIENCE))
                        move_on(f, f->due);
        bed_wait(f->line.bed, goods_are_done, f, PATIENCE);
        faults_close_book(f);
        faults_end_line(f);
}

void faults_play(struct faults *f, struct fault_cell **cells, size_t n)
{
        faults_begin_line(f);
        f->now = cells;
        f->n_now = n;
        faults_plug_good(f, (n + 2) / 3);
        for (size_t i = 0; i < n; i++) {
                struct fault_cell *cell = cells[i];
                struct rom_fault fault;

                g_snprintf(cell->port, sizeof(cell->port), "%d-%zu.%zu", cell->row->any ? 9 : 2,
                           i / PORTS_OF_A_HUB + 1, i % PORTS_OF_A_HUB + 1);
                cell->struck_usec = line_now_usec(); /* it has as long to strike as to rest */
                faults_plug(f, cell, fault_of_cell(f, cell, &fault) ? &fault : NULL);
        }
        faults_finish(f);
}
