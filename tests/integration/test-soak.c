/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Boards without end: plugged in and pulled in random ways, in the middle of a file, while they are off the bus for DETACH, put
 * back at once, exchanged for others; a tenth of them has a fault of its own. In the end the daemon has no more memory, no
 * more open and no more engines than when it was warm, the ledger is held against what a witness saw, and each board that is
 * not bad for good was flashed right.
 *
 * ESPDFU_SOAK_BOARDS (300) says how many, ESPDFU_SOAK_SEED (1) which.
 */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/bench/process.h"
#include "tests/integration/rows.h"
#include "tests/integration/stock.h"
#include "tests/integration/upkeep.h"
#include "tests/integration/witness.h"

#define FIRST_HUB  16
#define SECOND_HUB 8
#define SLOTS      (FIRST_HUB + SECOND_HUB)
#define STALLED    (150 * USEC_PER_SEC) /* a board that falls silent takes 70 s */
#define WARM       150                  /* boards until all that grows once has grown */

/*
 * What there may be more in the end than when it was warm, beside what SQLite keeps of the ledger: 2000 KiB for each of three
 * connections, and no more than there is. And what the ledger may take.
 */
#define CACHES            3
#define CACHE_MAX         2000         /* KiB */
#define RSS_GROWTH_MAX    512          /* KiB */
#define ROW_SIZE_MAX      1024         /* bytes of ledger.sqlite, beside … */
#define LEDGER_SIZE_LEAST (256 * 1024) /* … its empty tables */
#define WAL_SIZE_MAX      (8 * 1024 * 1024)

/* Each attempt counts on when a board comes back: one that is only pulled must not run out of them. */
static const char config[] =
        "[station]\njobs-max = 8\n"
        "[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\nattempts = 6\nretry-delay = 10ms\n"
        "[policy probe]\nchip = esp32s3\nimage = @s3.bin\nattempts = 6\nretry-delay = 10ms\n";

/* When a board is pulled. */
enum pull {
        PULL_NEVER,
        PULL_WHENEVER,  /* some time after it was plugged in */
        PULL_MID_FILE,  /* when it has taken so many blocks */
        PULL_IN_DETACH, /* while it is off the bus for it */
};

/* What becomes of one that was pulled. */
enum then {
        THEN_BACK,      /* into its slot, soon */
        THEN_EXCHANGED, /* another one comes into its slot; it goes somewhere else, later */
};

/* What is the matter with a board. */
struct fault {
        struct rom_fault fault;
        enum verdict verdict; /* with which it fails for good; VERDICT_NONE: it does not */
};

static const struct fault faults[] = {
        { { .when = ROM_AT_BLOCK, .nth = 40, .what = ROM_DO_STALL }, VERDICT_NONE },
        { { .when = ROM_AT_BLOCK, .nth = 90, .what = ROM_DO_ERROR, .value = ROM_ERR_FIRMWARE },
          VERDICT_NONE },
        { { .when = ROM_AT_BLOCK, .nth = 30, .what = ROM_DO_UNPLUG, .value = 20000 }, VERDICT_NONE },
        { { .when = ROM_AT_REQUEST, .request = ROM_GETSTATUS, .nth = 2, .what = ROM_DO_SHORTEN, .value = 3 },
          VERDICT_NONE },
        { { .when = ROM_AT_REQUEST, .request = ROM_DETACH, .nth = 1, .what = ROM_DO_STALL }, VERDICT_NONE },
        { { .when = ROM_AT_BLOCK, .what = ROM_DO_STALL }, VERDICT_STALLED },
        { { .when = ROM_AT_BLOCK, .what = ROM_DO_ERROR, .value = ROM_ERR_FIRMWARE }, VERDICT_BOARD_ERROR },
        { { .when = ROM_AT_MANIFEST, .what = ROM_DO_FLIP_BIT, .value = (STOCK_APP_ADDRESS + 77) << 3 },
          VERDICT_VERIFY_FAILED },
};

struct board {
        struct witness_board *seen;
        struct bed_board *bed; /* NULL: not plugged in yet, or forgotten */
        const struct fault *fault;
        enum pull pull;
        enum then then;
        bool came_for_another; /* into its slot, at once */
        uint64_t pull_usec;
        unsigned pull_blocks;
};

struct slot {
        char name[8], port[16];
        struct board *board;
        bool out;              /* taken out: waits until the station shows it */
        uint64_t back_usec;    /* its board was pulled and comes back then; 0: it is there */
        uint64_t last_usec;    /* the time of the last attempt that was shown when its board came */
        unsigned long ordered; /* the update after which the operator ordered something here last */
};

static struct {
        struct line line;
        struct stock_environment environment;
        struct witness witness;
        GRand *chance;
        GPtrArray *boards; /* of struct board, owned */
        GQueue again;      /* boards that were exchanged */
        struct slot slots[SLOTS];
        unsigned n_boards, n_done, n_pulls, n_exchanged, n_orders;
        /* Of the daemon before the first board came: */
        char *descriptors;
        unsigned n_descriptors;
        uint64_t start_kib;
        /* Of the daemon, when it was warm, and when half of the boards were done and its caches were full; KiB; 0: not yet. */
        uint64_t rss_kib, half_kib;
} s;

static bool one_in(unsigned n)
{
        return g_rand_int_range(s.chance, 0, (gint32)n) == 0;
}

static unsigned up_to(unsigned n)
{
        return (unsigned)g_rand_int_range(s.chance, 0, (gint32)n + 1);
}

/* ---- boards ---- */

static struct board *next_board(void)
{
        struct board *board = g_new0(struct board, 1);

        board->seen = witness_meet(&s.witness, one_in(2) ? ROM_S2 : ROM_S3);
        board->fault = one_in(10) ? &faults[up_to(G_N_ELEMENTS(faults) - 1)] : NULL;
        g_ptr_array_add(s.boards, board);
        return board;
}

/* Four boards in ten are pulled, most of them once. */
static void make_plan(struct board *board)
{
        board->pull = board->seen->stays->len < 4 && up_to(9) < 4 ? (enum pull)(1 + up_to(PULL_IN_DETACH - 1))
                                                                  : PULL_NEVER;
        board->then = up_to(2) < 2 ? THEN_BACK : THEN_EXCHANGED;
        board->pull_usec = line_now_usec() + up_to(200000);
        board->pull_blocks = up_to(120);
}

static void make_bed_board(struct slot *slot, struct board *board)
{
        struct rom_config rom = { .chip = board->seen->chip, .flash_size = STOCK_FLASH_SIZE };

        memcpy(rom.mac, board->seen->mac, sizeof(rom.mac));
        board->bed = plug_with(&s.line, slot->port, &rom);
        bed_lock(s.line.bed);
        stock_fill_flash(bed_rom(board->bed));
        if (board->fault)
                rom_add_fault(bed_rom(board->bed), &board->fault->fault);
        bed_unlock(s.line.bed);
}

static void plug_in(struct slot *slot, struct board *board)
{
        const struct slot_status *status = slot_of(&s.line, slot->name);

        make_plan(board);
        slot->board = board;
        slot->back_usec = 0;
        slot->last_usec = status ? status->last_realtime_usec : 0;
        witness_plugged(&s.witness, board->seen, slot->name);
        if (board->bed)
                bed_replug(board->bed, slot->port);
        else
                make_bed_board(slot, board);
}

static void pull(struct board *board)
{
        bed_pull(board->bed);
        witness_pulled(board->seen);
}

/* It is done with: its flash is compared, and it never comes back. */
static void take_out(struct slot *slot)
{
        struct board *board = slot->board;
        const struct rom *rom = bed_rom(board->bed);

        pull(board);
        bed_lock(s.line.bed);
        witness_look(board->seen, board->bed);
        if (board->fault && board->fault->verdict != VERDICT_NONE)
                stock_expect_nothing_beside(rom, false);
        else
                stock_expect_flashed(rom, board->seen->chip == ROM_S2 ? &s.line.s2 : &s.line.s3, false);
        bed_unlock(s.line.bed);
        bed_forget(take_ptr(board->bed));
        slot->board = NULL;
        slot->out = true;
        s.n_done++;
}

/* ---- hands ---- */

static bool is_time_to_pull(const struct board *board)
{
        unsigned blocks;

        switch (board->pull) {
        case PULL_NEVER:
                return false;
        case PULL_WHENEVER:
                return line_now_usec() >= board->pull_usec;
        case PULL_MID_FILE:
                bed_lock(s.line.bed);
                blocks = rom_counters(bed_rom(board->bed))->blocks;
                bed_unlock(s.line.bed);
                return blocks >= board->pull_blocks;
        case PULL_IN_DETACH:
                return !bed_is_present(board->bed);
        }
        return false;
}

static struct board *another(void)
{
        if (!g_queue_is_empty(&s.again) && one_in(2))
                return g_queue_pop_head(&s.again);
        if (s.boards->len < s.n_boards)
                return next_board();
        return g_queue_pop_head(&s.again);
}

static void handle(struct slot *slot)
{
        struct board *board = slot->board, *other;

        pull(board);
        s.n_pulls++;
        other = board->then == THEN_EXCHANGED ? another() : NULL;
        if (other) {
                s.n_exchanged++;
                g_queue_push_tail(&s.again, board);
                other->came_for_another = true;
                plug_in(slot, other);
        } else {
                slot->back_usec = line_now_usec() + up_to(60000);
        }
}

/* ---- the operator ---- */

static bool is_flashed(const struct board *board, const struct slot_status *status)
{
        bool whole;

        if (status->phase != PHASE_FLASHED)
                return false;
        bed_lock(s.line.bed);
        whole = rom_counters(bed_rom(board->bed))->completed > 0;
        bed_unlock(s.line.bed);
        return whole;
}

static bool has_failed(const struct slot *slot, const struct slot_status *status)
{
        return slot->board->fault && slot->board->fault->verdict != VERDICT_NONE &&
               status->phase == PHASE_FAILED && status->last_verdict == slot->board->fault->verdict &&
               status->last_realtime_usec != slot->last_usec && bed_is_present(slot->board->bed);
}

/* Once for what the screen shows; what is on its way to the screen may make it void. */
static void order(struct slot *slot, const char *what)
{
        if (slot->ordered == s.line.n_updates)
                return;
        slot->ordered = s.line.n_updates;
        s.n_orders++;
        ctl(&s.line, NULL, (const char *[]){ what, slot->name, NULL });
}

/* Whoever is pulled again and again, or has a fault besides, may have used up its attempts. */
static void have_tried_again(struct slot *slot, const struct slot_status *status)
{
        if (status->last_realtime_usec == slot->last_usec || !bed_is_present(slot->board->bed))
                return;

        order(slot, "retry");
}

static void attend(struct slot *slot)
{
        const struct slot_status *status = slot_of(&s.line, slot->name);

        /* Contacts that flap so often are what this is about. */
        if (status && status->phase == PHASE_HELD)
                order(slot, "release");
        if (slot->out && (!status || status->phase == PHASE_EMPTY))
                slot->out = false;
        if (!slot->board && !slot->out) {
                struct board *board = another();

                if (board)
                        plug_in(slot, board);
                return;
        }
        if (!slot->board)
                return;
        if (slot->back_usec > 0) {
                if (line_now_usec() >= slot->back_usec)
                        plug_in(slot, slot->board);
        } else if (is_time_to_pull(slot->board)) {
                handle(slot);
        } else if (status && (is_flashed(slot->board, status) || has_failed(slot, status))) {
                take_out(slot);
        } else if (status && status->phase == PHASE_FAILED) {
                have_tried_again(slot, status);
        }
}

/* ---- the run ---- */

static bool is_over(void)
{
        return s.n_done == s.n_boards;
}

static void tell_where_it_stands(void)
{
        for (unsigned i = 0; i < SLOTS; i++) {
                const struct slot *slot = &s.slots[i];
                const struct slot_status *status = slot_of(&s.line, slot->name);

                print_message("%s: %s: %s, %s\n", slot->name,
                              slot->board ? witness_name(slot->board->seen)
                              : slot->out ? "taken out"
                                          : "free",
                              status ? phase_to_string(status->phase) : "-",
                              status && status->message ? status->message : "-");
        }
        line_show_standstill(&s.line);
}

/* A line whenever twice as many are done. */
static void note_memory(void)
{
        static unsigned next = WARM;
        uint64_t rss;

        if (s.n_done < next)
                return;
        rss = process_kib(bed_pid(s.line.daemon), "status", "RssAnon:");
        print_message("%u boards done: RssAnon %llu KiB\n", s.n_done, (unsigned long long)rss);
        if (s.rss_kib == 0)
                s.rss_kib = rss;
        next *= 2;
}

static int64_t size_of(const char *name)
{
        g_autofree char *path = line_path(&s.line, name);
        struct stat st;

        return stat(path, &st) == 0 ? st.st_size : 0;
}

static void note_half(void)
{
        if (s.half_kib > 0 || s.n_done < s.n_boards / 2)
                return;
        s.half_kib = size_of("state/ledger.sqlite") > 2 * CACHE_MAX * 1024
                             ? process_kib(bed_pid(s.line.daemon), "status", "RssAnon:")
                             : UINT64_MAX / 2;
}

static bool never(void *userdata)
{
        (void)userdata;
        return false;
}

/* A step of the bed's: what it looks at, a person would see. */
static void work(void)
{
        uint64_t last_usec = line_now_usec();
        unsigned long n_updates = s.line.n_updates;

        while (!is_over()) {
                for (unsigned i = 0; i < SLOTS; i++)
                        attend(&s.slots[i]);
                note_memory();
                note_half();
                bed_wait(s.line.bed, never, NULL, 2 * USEC_PER_MSEC);
                if (!bed_child_runs(s.line.daemon))
                        fail_msg("espdfud ended by itself; it said:\n%s", bed_output(s.line.daemon));
                if (s.line.n_updates != n_updates) {
                        n_updates = s.line.n_updates;
                        last_usec = line_now_usec();
                } else if (line_now_usec() - last_usec > STALLED) {
                        tell_where_it_stands();
                        fail_msg("nothing happens on the line any more");
                }
        }
}

/* ---- what there is in the end ---- */

static bool is_quiet(void *userdata)
{
        (void)userdata;
        for (unsigned i = 0; i < SLOTS; i++) {
                const struct slot_status *status = slot_of(&s.line, s.slots[i].name);

                if (status && status->phase != PHASE_EMPTY && status->phase != PHASE_FAILED)
                        return false;
        }
        return s.line.status.station.running == 0 && s.line.status.station.waiting == 0;
}

static void expect_quiet(void)
{
        if (bed_wait(s.line.bed, is_quiet, NULL, PATIENCE))
                return;
        tell_where_it_stands();
        fail_msg("all boards are gone, and the station does not rest");
}

static void expect_its_end(const struct board *board)
{
        unsigned flashed = witness_count(board->seen, VERDICT_FLASHED), failed = 0;
        bool bad = board->fault && board->fault->verdict != VERDICT_NONE;

        for (unsigned i = 0; i < board->seen->rows->len; i++) {
                const struct witness_row *row = &g_array_index(board->seen->rows, struct witness_row, i);

                failed += bad && row->final && row->verdict == board->fault->verdict;
        }
        if (bad ? flashed > 0 || failed == 0 : flashed == 0 || flashed > board->seen->stays->len)
                fail_msg("%s: %u rows say flashed, %u failed for good", witness_name(board->seen), flashed,
                         failed);
        /* Nobody touched it and nothing is the matter with it. */
        if (!board->fault && board->seen->stays->len == 1 && !board->came_for_another)
                assert_int_equal(witness_count(board->seen, VERDICT_MAX_), 1);
}

#ifdef __SANITIZE_ADDRESS__
#define IS_COUNTED false /* what is freed is kept for a while */
#else
#define IS_COUNTED true
#endif

static void expect_bounded_memory(uint64_t rss, int64_t ledger)
{
        uint64_t caches = CACHES * MIN((uint64_t)CACHE_MAX, (uint64_t)ledger / 1024);

        if (!IS_COUNTED || s.rss_kib == 0)
                return;
        if (rss > s.rss_kib + caches + RSS_GROWTH_MAX)
                fail_msg("espdfud grew by %llu KiB: expected at most %llu",
                         (unsigned long long)(rss - s.rss_kib),
                         (unsigned long long)(caches + RSS_GROWTH_MAX));
        if (rss > s.half_kib + RSS_GROWTH_MAX)
                fail_msg("espdfud grew by %llu KiB in the second half: expected at most %d",
                         (unsigned long long)(rss - s.half_kib), RSS_GROWTH_MAX);
}

static void expect_bounded(size_t n_rows, uint64_t rss, double minutes)
{
        uint64_t peak = process_kib(bed_pid(s.line.daemon), "status", "VmHWM:");
        int64_t ledger = size_of("state/ledger.sqlite"), wal = size_of("state/ledger.sqlite-wal");

        print_message("%u boards, %zu attempts, %u pulls, %u exchanged, %u orders: %.1f min, %.0f boards a "
                      "minute\n",
                      s.n_boards, n_rows, s.n_pulls, s.n_exchanged, s.n_orders, minutes,
                      s.n_boards / minutes);
        print_message("espdfud: RssAnon %llu KiB idle, %llu when warm, %llu in the end, VmHWM %llu; "
                      "descriptors %u idle, "
                      "%u in the end; ledger %lld bytes, %lld a row, its log %lld\n",
                      (unsigned long long)s.start_kib, (unsigned long long)s.rss_kib, (unsigned long long)rss,
                      (unsigned long long)peak, s.n_descriptors, upkeep_count_descriptors(&s.line),
                      (long long)ledger, (long long)(ledger / (int64_t)n_rows), (long long)wal);
        expect_bounded_memory(rss, ledger);
        if (ledger > (int64_t)n_rows * ROW_SIZE_MAX + LEDGER_SIZE_LEAST)
                fail_msg("the ledger is larger than %d bytes a row", ROW_SIZE_MAX);
        if (wal > WAL_SIZE_MAX)
                fail_msg("the ledger's log grows: expected at most %d bytes", WAL_SIZE_MAX);
}

static void test_boards_without_end_leave_nothing_behind(void **state)
{
        uint64_t start = line_now_usec(), rss;
        double minutes;
        json_t *rows;

        (void)state;
        work();
        minutes = (double)(line_now_usec() - start) / 60e6;
        expect_quiet();
        rss = process_kib(bed_pid(s.line.daemon), "status", "RssAnon:");
        rows = rows_export(&s.line);
        upkeep_expect_no_engine(&s.line);
        upkeep_expect_descriptors(&s.line, s.descriptors);
        rows_expect_whole_jobs(rows);
        rows_expect_sequence_without_gaps(rows);
        witness_compare(&s.witness, rows);
        for (unsigned i = 0; i < s.boards->len; i++)
                expect_its_end(g_ptr_array_index(s.boards, i));
        expect_bounded(json_array_size(rows), rss, minutes);
        json_decref(rows);
}

/* ---- the line ---- */

static int begin(void **state)
{
        unsigned seed = stock_number("ESPDFU_SOAK_SEED", 1);

        (void)state;
        s.n_boards = stock_number("ESPDFU_SOAK_BOARDS", 300);
        print_message("ESPDFU_SOAK_BOARDS=%u ESPDFU_SOAK_SEED=%u\n", s.n_boards, seed);
        s.chance = g_rand_new_with_seed(seed);
        s.boards = g_ptr_array_new_with_free_func(g_free);
        g_queue_init(&s.again);
        witness_init(&s.witness);
        stock_lay_out(&s.line, &s.environment, config, FIRST_HUB, SECOND_HUB);
        for (unsigned i = 0; i < SLOTS; i++) {
                bool second = i >= FIRST_HUB;

                g_snprintf(s.slots[i].port, sizeof(s.slots[i].port), "1-%d.%u", second ? 2 : 1,
                           second ? i - FIRST_HUB + 1 : i + 1);
                g_strlcpy(s.slots[i].name, s.slots[i].port, sizeof(s.slots[i].name));
        }
        start_daemon(&s.line);
        s.descriptors = upkeep_descriptors(&s.line);
        s.n_descriptors = upkeep_count_descriptors(&s.line);
        s.start_kib = process_kib(bed_pid(s.line.daemon), "status", "RssAnon:");
        return 0;
}

static int end(void **state)
{
        (void)state;
        line_end(&s.line);
        witness_done(&s.witness);
        g_ptr_array_unref(s.boards);
        g_queue_clear(&s.again);
        g_rand_free(s.chance);
        g_free(s.descriptors);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_boards_without_end_leave_nothing_behind, begin, end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
