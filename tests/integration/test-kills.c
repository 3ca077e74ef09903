/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SIGKILL at any moment, under load. Boards come, are flashed, each with a file of its own, and go; some of them fail now and
 * then, and some always. Meanwhile espdfud is killed again and again: in its first moments, in the middle of a write to the
 * ledger, and whenever; and its engines are. The ledger that each dead daemon left is looked at; each next one goes on with
 * what it finds. In the end the ledger is held against what a witness saw.
 *
 * ESPDFU_KILLS (100) says how many, ESPDFU_KILLS_SEED (1) which.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/bench/process.h"
#include "tests/integration/ledger-copy.h"
#include "tests/integration/rows.h"
#include "tests/integration/stock.h"
#include "tests/integration/upkeep.h"
#include "tests/integration/witness.h"

#define SLOTS         12
#define WORST_SLOTS   2 /* the last ones: for boards that never end well */
#define BOARDS_A_KILL 4 /* files for so many are laid out */
#define STARTS_A_LIFE                                                                                        \
        12 /* a daemon lives no longer than so many starts take: a busy machine is slow in all */
#define WRITE_MSEC     250
#define STALLED        (150 * USEC_PER_SEC) /* a board that falls silent takes 70 s */
#define ENGINES_A_LIFE 3

static const char config[] = "[station]\njobs-max = 6\n"
                             "[slot W*]\nport = 1-2.*\n"
                             "[policy worst]\nslot = W*\nchip = esp32s3\nimage = @s3.bin\nattempts = 1\n"
                             "[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\nboard-data = 0x9000:@nvs\n"
                             "attempts = 6\nretry-delay = 20ms\n"
                             "[policy probe]\nchip = esp32s3\nimage = @s3.bin\nboard-data = 0x9000:@nvs\n"
                             "attempts = 6\nretry-delay = 20ms\n";

struct board {
        struct witness_board *seen;
        struct bed_board *bed;
        bool never, done; /* flashed, as the station showed */
        bool stays_on;    /* …, and left where it is until the next daemon */
};

struct slot {
        char name[8], port[16];
        struct board *board;
        bool out; /* taken out: waits until the station shows it */
};

/* When what is killed. */
enum moment {
        DAEMON_AT_START,
        DAEMON_AT_WRITE,
        DAEMON_WHENEVER,
        MOMENTS,
};

static struct {
        struct line line;
        struct witness witness;
        GRand *chance;
        GPtrArray *boards; /* of struct board, owned */
        struct slot slots[SLOTS];
        unsigned kills, files;
        unsigned n_moments[MOMENTS], n_engines, n_before_ready;
        uint64_t start_usec; /* what a daemon takes until it is ready, of late */
        uint64_t launched_usec;
        bool watching, closing;
        struct ledger_figures ledger;
        struct stock_environment environment;
} k;

static bool one_in(unsigned n)
{
        return g_rand_int_range(k.chance, 0, (gint32)n) == 0;
}

static unsigned up_to(unsigned n)
{
        return (unsigned)g_rand_int_range(k.chance, 0, (gint32)n + 1);
}

/* ---- boards ---- */

static void add_faults(struct board *board)
{
        static const struct rom_fault refuses = { .when = ROM_AT_BLOCK, .what = ROM_DO_STALL };
        struct rom_fault once[] = {
                { .when = ROM_AT_BLOCK, .nth = 1 + up_to(150), .what = ROM_DO_STALL },
                { .when = ROM_AT_BLOCK,
                  .nth = 1 + up_to(150),
                  .what = ROM_DO_ERROR,
                  .value = ROM_ERR_FIRMWARE },
                { .when = ROM_AT_REQUEST, .request = ROM_DETACH, .nth = 1, .what = ROM_DO_STALL },
        };

        if (board->never)
                rom_add_fault(bed_rom(board->bed), &refuses);
        else if (one_in(5))
                rom_add_fault(bed_rom(board->bed), &once[up_to(G_N_ELEMENTS(once) - 1)]);
}

static void plug_next(struct slot *slot)
{
        struct board *board = g_new0(struct board, 1);
        struct rom_config rom = { .flash_size = STOCK_FLASH_SIZE,
                                  .timing = { .transfer_usec = one_in(2) ? 0 : 300 } };

        board->never = slot >= &k.slots[SLOTS - WORST_SLOTS];
        rom.chip = board->never || one_in(2) ? ROM_S3 : ROM_S2;
        board->seen = witness_meet(&k.witness, rom.chip);
        memcpy(rom.mac, board->seen->mac, sizeof(rom.mac));
        board->stays_on = one_in(3);
        g_ptr_array_add(k.boards, board);
        witness_plugged(&k.witness, board->seen, slot->name);
        board->bed = plug_with(&k.line, slot->port, &rom);
        bed_lock(k.line.bed);
        stock_fill_flash(bed_rom(board->bed));
        add_faults(board);
        bed_unlock(k.line.bed);
        slot->board = board;
}

static bool there_are_more(void)
{
        return !k.closing && k.boards->len < k.files;
}

/* After it was flashed no one may write to it any more: its flash is compared now and it is forgotten. */
static void take_out(struct slot *slot)
{
        bed_pull(slot->board->bed);
        witness_pulled(slot->board->seen);
        bed_lock(k.line.bed);
        witness_look(slot->board->seen, slot->board->bed);
        if (slot->board->never)
                stock_expect_nothing_beside(bed_rom(slot->board->bed), false);
        else
                stock_expect_flashed(bed_rom(slot->board->bed),
                                     slot->board->seen->chip == ROM_S2 ? &k.line.s2 : &k.line.s3, true);
        bed_unlock(k.line.bed);
        slot->board = NULL;
        slot->out = true;
}

/* ---- the operator ---- */

/*
 * Its engine was killed; or that of a daemon that was killed still has the interface. Both come once too often here. A DETACH
 * that was under way may take the board out meanwhile: it is seen to when it is back.
 */
static void have_tried_again(const struct slot *slot, const struct slot_status *status)
{
        g_autofree char *said = NULL;

        if (status->last_verdict != VERDICT_ENGINE_FAILED && status->last_verdict != VERDICT_BUSY)
                fail_msg("%s in %s: %s: %s", witness_name(slot->board->seen), slot->name,
                         verdict_to_string(status->last_verdict), status->message);
        if (ctl(&k.line, &said, (const char *[]){ "retry", slot->name, NULL }) != 0 &&
            !strstr(said, "is empty; nothing to retry"))
                fail_msg("espdfuctl retry %s: %s", slot->name, said);
}

static void attend(struct slot *slot)
{
        const struct slot_status *status = k.watching ? slot_of(&k.line, slot->name) : NULL;

        if (slot->out && status && status->phase == PHASE_EMPTY)
                slot->out = false;
        if (!slot->board && !slot->out && there_are_more())
                plug_next(slot);
        if (!slot->board || !status)
                return;
        if (status->phase == PHASE_FLASHED) {
                if (slot->board->never)
                        fail_msg("%s refuses all, and is flashed", witness_name(slot->board->seen));
                slot->board->done = true;
                if (k.closing || !slot->board->stays_on)
                        take_out(slot);
        } else if (status->phase == PHASE_FAILED) {
                if (slot->board->never && status->last_verdict == VERDICT_STALLED)
                        take_out(slot);
                else
                        have_tried_again(slot, status);
        }
}

/*
 * While no daemon runs: what was done goes, others come, perhaps into the same place. What was taken out is not waited for any
 * more: the next daemon has never seen it, and shows no slot of it.
 */
static void exchange(void)
{
        for (unsigned i = 0; i < SLOTS; i++) {
                struct slot *slot = &k.slots[i];

                if (slot->board && slot->board->done && one_in(2))
                        take_out(slot);
                slot->out = false;
                if (!slot->board && there_are_more() && one_in(2))
                        plug_next(slot);
        }
}

/* ---- time ---- */

static bool is_ready(void)
{
        return strstr(bed_output(k.line.daemon), "is ready on");
}

struct news {
        unsigned long n_updates;
};

static bool has_news(void *userdata)
{
        const struct news *news = userdata;

        if (!bed_child_runs(k.line.daemon))
                return true;
        return k.watching ? k.line.n_updates != news->n_updates : is_ready();
}

static void look_at_screen(void)
{
        if (k.watching || !is_ready())
                return;
        k.start_usec = (3 * k.start_usec + line_now_usec() - k.launched_usec) / 4;
        start_watching(&k.line);
        k.watching = true;
}

static void expect_daemon_lives(void)
{
        if (!bed_child_runs(k.line.daemon))
                fail_msg("espdfud ended by itself; it said:\n%s", bed_output(k.line.daemon));
}

/* One round of all slots. Returns what it began with: all that comes later is news. */
static struct news go_round(void)
{
        struct news news = { .n_updates = k.line.n_updates };

        look_at_screen();
        for (unsigned i = 0; i < SLOTS; i++)
                attend(&k.slots[i]);
        return news;
}

/* Until something happens, or until then. */
static bool wait_for(struct news *news, uint64_t until)
{
        uint64_t now = line_now_usec();

        if (now >= until || !bed_wait(k.line.bed, has_news, news, until - now))
                return false;
        expect_daemon_lives();
        return true;
}

static void work_until(uint64_t until)
{
        struct news news;

        do
                news = go_round();
        while (wait_for(&news, until));
}

/* ---- kills ---- */

static void launch(void)
{
        k.launched_usec = line_now_usec();
        launch_daemon(&k.line);
}

/* Returns when the ledger is written to, or after a while without. */
static void wait_for_write(void)
{
        g_autofree char *path = line_path(&k.line, "state/ledger.sqlite-wal");
        struct pollfd watch = { .fd = inotify_init1(IN_CLOEXEC), .events = POLLIN };

        assert_true(watch.fd >= 0);
        if (inotify_add_watch(watch.fd, path, IN_MODIFY) >= 0)
                poll(&watch, 1, WRITE_MSEC);
        close(watch.fd);
}

static unsigned n_kills(void)
{
        unsigned n = k.n_engines;

        for (unsigned i = 0; i < MOMENTS; i++)
                n += k.n_moments[i];
        return n;
}

static bool has_an_engine(void *userdata)
{
        pid_t one;

        (void)userdata;
        return !bed_child_runs(k.line.daemon) || process_children(bed_pid(k.line.daemon), &one, 1) > 0;
}

/* That one and no other: it may have ended by now, and its number be somebody else's. */
static bool kill_child(pid_t pid)
{
        int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        pid_t children[SLOTS];
        size_t n = process_children(bed_pid(k.line.daemon), children, SLOTS);
        bool killed = false;

        for (size_t i = 0; pidfd >= 0 && i < MIN(n, (size_t)SLOTS); i++)
                killed = killed ||
                         (children[i] == pid && syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) == 0);
        if (pidfd >= 0)
                close(pidfd);
        return killed;
}

static void kill_an_engine(void)
{
        pid_t engines[SLOTS];
        size_t n;

        if (!bed_wait(k.line.bed, has_an_engine, NULL, 10 * USEC_PER_MSEC))
                return;
        expect_daemon_lives();
        n = process_children(bed_pid(k.line.daemon), engines, SLOTS);
        if (n > 0 && kill_child(engines[up_to((unsigned)MIN(n, (size_t)SLOTS) - 1)]))
                k.n_engines++;
}

/* To the microsecond: the loop's own steps are milliseconds. */
static void let_pass(unsigned usec)
{
        g_usleep(usec);
}

static void kill_it(enum moment moment)
{
        struct ledger_figures before = k.ledger;

        k.n_before_ready += !k.watching && !is_ready();
        kill_daemon(&k.line);
        k.watching = false;
        k.n_moments[moment]++;
        if (!ledger_copy_expect_sound(&k.line, &k.ledger))
                return;
        if (k.ledger.rows < before.rows || k.ledger.closed < before.closed)
                fail_msg("the ledger had %lld rows, %lld of them closed; now %lld and %lld",
                         (long long)before.rows, (long long)before.closed, (long long)k.ledger.rows,
                         (long long)k.ledger.closed);
}

static void live_and_die(void)
{
        enum moment moment = (enum moment)up_to(MOMENTS - 1);
        uint64_t end;

        launch();
        if (moment == DAEMON_AT_START) {
                let_pass(up_to((unsigned)k.start_usec * 5 / 4));
                kill_it(moment);
                return;
        }
        end = line_now_usec() + k.start_usec + up_to(STARTS_A_LIFE * (unsigned)k.start_usec);
        for (unsigned i = up_to(ENGINES_A_LIFE); i > 0 && n_kills() + 1 < k.kills; i--) {
                work_until(line_now_usec() + k.start_usec / 2 +
                           up_to(STARTS_A_LIFE / ENGINES_A_LIFE * (unsigned)k.start_usec));
                kill_an_engine();
        }
        work_until(MAX(end, line_now_usec()));
        if (moment == DAEMON_AT_WRITE)
                wait_for_write();
        else
                let_pass(up_to(5000));
        kill_it(moment);
}

/* ---- the last daemon ---- */

static bool is_over(void)
{
        for (unsigned i = 0; i < SLOTS; i++)
                if (k.slots[i].board || k.slots[i].out)
                        return false;
        return true;
}

static void tell_where_it_stands(void)
{
        for (unsigned i = 0; i < SLOTS; i++) {
                const struct slot *slot = &k.slots[i];
                const struct slot_status *status = slot_of(&k.line, slot->name);

                print_message("%s: %s: %s, %s\n", slot->name,
                              slot->board ? witness_name(slot->board->seen)
                              : slot->out ? "taken out"
                                          : "free",
                              status ? phase_to_string(status->phase) : "-",
                              status && status->message ? status->message : "-");
        }
        print_message("the daemon said:\n%s\n", bed_output(k.line.daemon));
        line_show_standstill(&k.line);
}

static void finish(void)
{
        struct news news;

        k.closing = true;
        launch();
        for (news = go_round(); !is_over(); news = go_round())
                if (!wait_for(&news, line_now_usec() + STALLED)) {
                        tell_where_it_stands();
                        fail_msg("nothing happens on the line any more");
                }
}

static void expect_file_in_flash(const struct board *board)
{
        g_autofree char *content = NULL;
        gsize size;

        assert_non_null(board->seen->file);
        assert_true(g_file_get_contents(board->seen->file, &content, &size, NULL));
        if (!rom_flash_equals(bed_rom(board->bed), STOCK_DATA_ADDRESS, content, size))
                fail_msg("%s: its flash has not %s, which the ledger says it got", witness_name(board->seen),
                         board->seen->file);
}

/* One row says how it ended. What came before was an end of its daemon or its engine, or what it has. */
static void expect_its_end(const struct board *board)
{
        unsigned flashed = witness_count(board->seen, VERDICT_FLASHED), failed = 0;

        for (unsigned i = 0; i < board->seen->rows->len; i++) {
                const struct witness_row *row = &g_array_index(board->seen->rows, struct witness_row, i);

                failed += row->final && row->verdict == VERDICT_STALLED;
        }
        if (flashed != !board->never || failed != board->never)
                fail_msg("%s: %u rows say flashed, %u failed for good", witness_name(board->seen), flashed,
                         failed);
        if (!board->never)
                expect_file_in_flash(board);
}

static void tell_progress(void)
{
        static unsigned next = 100;

        if (n_kills() < next)
                return;
        print_message("%u killed, %u boards, %lld attempts\n", n_kills(), k.boards->len,
                      (long long)k.ledger.rows);
        next += 100;
}

static void test_killed_at_any_moment_nothing_is_lost_and_nothing_doubled(void **state)
{
        json_t *rows;

        (void)state;
        k.start_usec = 20000; /* until it was seen */
        while (n_kills() < k.kills) {
                live_and_die();
                exchange();
                tell_progress();
        }
        finish();
        rows = rows_export(&k.line);
        upkeep_expect_no_engine(&k.line);
        rows_expect_whole_jobs(rows);
        rows_expect_sequence_without_gaps(rows);
        witness_compare(&k.witness, rows);
        bed_lock(k.line.bed);
        for (unsigned i = 0; i < k.boards->len; i++)
                expect_its_end(g_ptr_array_index(k.boards, i));
        bed_unlock(k.line.bed);
        stop_daemon(&k.line);
        assert_true(ledger_copy_expect_sound(&k.line, &k.ledger));
        assert_int_equal(k.ledger.rows, json_array_size(rows));
        assert_int_equal(k.ledger.open, 0);
        print_message("killed: %u daemons (%u at the start, %u at a write, %u whenever; %u before they were "
                      "ready), "
                      "%u engines; %u boards, %zu attempts; a start takes %u ms\n",
                      n_kills() - k.n_engines, k.n_moments[DAEMON_AT_START], k.n_moments[DAEMON_AT_WRITE],
                      k.n_moments[DAEMON_WHENEVER], k.n_before_ready, k.n_engines, k.boards->len,
                      json_array_size(rows), (unsigned)(k.start_usec / USEC_PER_MSEC));
        json_decref(rows);
}

/* ---- the line ---- */

static int begin(void **state)
{
        unsigned seed = stock_number("ESPDFU_KILLS_SEED", 1);

        (void)state;
        k.kills = stock_number("ESPDFU_KILLS", 100);
        k.files = k.kills * BOARDS_A_KILL;
        print_message("ESPDFU_KILLS=%u ESPDFU_KILLS_SEED=%u\n", k.kills, seed);
        k.chance = g_rand_new_with_seed(seed);
        k.boards = g_ptr_array_new_with_free_func(g_free);
        witness_init(&k.witness);
        stock_lay_out(&k.line, &k.environment, config, SLOTS, WORST_SLOTS);
        stock_folder(&k.line, "nvs", k.files);
        for (unsigned i = 0; i < SLOTS; i++) {
                bool worst = i >= SLOTS - WORST_SLOTS;
                unsigned n = worst ? i - (SLOTS - WORST_SLOTS) : i;

                g_snprintf(k.slots[i].port, sizeof(k.slots[i].port), "1-%d.%u", worst ? 2 : 1, n + 1);
                g_snprintf(k.slots[i].name, sizeof(k.slots[i].name), "%s%s%u", worst ? "W" : "1-1.", "",
                           n + 1);
        }
        return 0;
}

static int end(void **state)
{
        (void)state;
        line_end(&k.line);
        witness_done(&k.witness);
        g_ptr_array_unref(k.boards);
        g_rand_free(k.chance);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_killed_at_any_moment_nothing_is_lost_and_nothing_doubled,
                                                begin, end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
