/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The operator: plugs boards in, watches the screen, takes out what is done, and does with some what their kind says.
 * Whoever works here waits for what the station shows or for the bus; nothing waits for time.
 */
#include "tests/integration/day.h"

#include <stdio.h>

#define STALLED (150 * USEC_PER_SEC) /* a board that falls silent takes 70 s */

#define DAY_EVENTS 4 /* that happen to the station */

/* ---- what the screen shows ---- */

static const struct slot_status *look(struct day *day, const struct day_slot *slot)
{
        const struct slot_status *status = slot_of(&day->line, slot->name);

        if (!status)
                fail_msg("status has no slot %s", slot->name);
        return status;
}

/* In this phase, and not since before the board came. */
static bool shows(struct day *day, const struct day_slot *slot, enum phase phase)
{
        const struct slot_status *status = look(day, slot);

        return status->phase == phase &&
               (phase != slot->stale || status->last_realtime_usec != slot->stale_usec);
}

/* So far in its download that a person could pull it. */
static bool is_mid_file(struct day *day, const struct day_slot *slot)
{
        const struct slot_status *status = look(day, slot);

        return status->phase == PHASE_DOWNLOADING && status->bytes_done >= 1024;
}

/* Off the bus in the middle of its download, and not for DETACH. */
static bool is_pulled(struct day *day, const struct day_board *board)
{
        unsigned blocks;

        bed_lock(day->line.bed);
        blocks = rom_counters(bed_rom(board->bed))->blocks;
        bed_unlock(day->line.bed);
        return blocks >= 24 && !bed_is_present(board->bed);
}

static unsigned index_of(const struct day *day, const struct day_slot *slot)
{
        return (unsigned)(slot - day->slots);
}

#define ORDER(day, ...) expect_ctl(&(day)->line, "", (const char *[]){ __VA_ARGS__, NULL })

/* ---- boards in and out ---- */

static void note_stale(struct day *day, struct day_slot *slot)
{
        const struct slot_status *status = slot_of(&day->line, slot->name);

        slot->stale = status ? status->phase : PHASE_EMPTY;
        slot->stale_usec = status ? status->last_realtime_usec : 0;
}

static struct bed_board *make_board(struct day *day, struct day_slot *slot, const struct day_board *board)
{
        struct rom_config config = {
                .chip = board->chip,
                .timing = { .transfer_usec = board->kind->transfer_usec },
                .flash_size = STOCK_FLASH_SIZE,
                .starts_in_dfu_mode = board->kind->in_dfu_mode,
                .product = board->kind->not_the_rom ? "gizmo" : NULL,
        };
        struct bed_board *bed;

        memcpy(config.mac, board->mac, sizeof(config.mac));
        bed = bed_plug(day->line.bed, slot->port, &config);
        bed_lock(day->line.bed);
        stock_fill_flash(bed_rom(bed));
        for (unsigned i = 0; i < board->kind->n_faults; i++)
                rom_add_fault(bed_rom(bed), &board->kind->faults[i]);
        bed_unlock(day->line.bed);
        return bed;
}

/* What its jobs will be, as the plan has it. */
static void expect_jobs(struct day *day, struct day_slot *slot, struct day_board *board)
{
        const struct day_kind *kind = board->kind;
        bool again = board->step > 0;
        unsigned n = index_of(day, slot);

        if (kind->verdict == VERDICT_NONE || kind->script == DAY_SWAP)
                return;
        if (kind->first != VERDICT_NONE)
                day_expect_job(day, board, n, kind->first);
        if (board->chip == ROM_S2 && kind->first_of_s2 != VERDICT_NONE)
                day_expect_job(day, board, n, kind->first_of_s2);
        /* The ledger says that it has this image. */
        if (again && board->chip == ROM_S3 && slot->name[0] != 'C')
                return;
        day_expect_job(day, board, n, kind->verdict);
}

/* Boards that leave a port three times within a minute make the station hold it. */
#define LEAVES_MAX 2

static unsigned leaves_of(const struct day_board *board)
{
        return board->kind->leaves ? board->kind->n_faults : 0;
}

static bool may_be_in(const struct day_slot *slot, const struct day_board *board)
{
        unsigned n = leaves_of(board);
        bool in_c = slot->name[0] == 'C';

        if (board->kind->place != DAY_ANYWHERE && (board->kind->place == DAY_IN_C) != in_c)
                return false;
        return board->kind->script == DAY_FLAP ? slot->n_left == 0 : slot->n_left + n <= LEAVES_MAX || n == 0;
}

static void plug_board(struct day *day, struct day_slot *slot, struct day_board *board)
{
        note_stale(day, slot);
        day->n_plugged += !board->bed;
        board->last_slot = index_of(day, slot);
        board->n_stays++;
        slot->board = board;
        slot->n_left += leaves_of(board);
        if (board->kind->script == DAY_HOLD && board->step == 0)
                ORDER(day, "hold", slot->name, "--reason", "look at it");
        expect_jobs(day, slot, board);
        if (board->bed)
                bed_replug(board->bed, slot->port);
        else
                board->bed = make_board(day, slot, board);
}

static void take_out(struct day_slot *slot)
{
        bed_pull(slot->board->bed);
        slot->done = true;
}

/* ---- what is done with which board ---- */

static struct day_slot *free_slot_like(struct day *day, const struct day_slot *slot)
{
        for (unsigned i = 0; i < DAY_SLOTS; i++) {
                struct day_slot *other = &day->slots[i];

                if (!other->board && other->n_left < LEAVES_MAX && other != slot &&
                    (other->name[0] == 'C') == (slot->name[0] == 'C') &&
                    look(day, other)->phase == PHASE_EMPTY)
                        return other;
        }
        return NULL;
}

static bool wait_until_done(struct day *day, struct day_slot *slot)
{
        const struct day_kind *kind = slot->board->kind;

        if (!shows(day, slot, kind->phase))
                return false;
        if (kind->says)
                expect_said(look(day, slot)->message, kind->says);
        take_out(slot);
        return true;
}

static bool put_back(struct day *day, struct day_slot *slot)
{
        struct day_board *board = slot->board;

        if (board->step > 0)
                return wait_until_done(day, slot);
        if (!is_pulled(day, board))
                return false;
        board->step++;
        bed_replug(board->bed, NULL);
        return true;
}

static bool move(struct day *day, struct day_slot *slot)
{
        struct day_board *board = slot->board;
        struct day_slot *other;

        if (board->step > 0)
                return wait_until_done(day, slot);
        if (!is_pulled(day, board))
                return false;
        other = free_slot_like(day, slot);
        board->step++;
        if (!other) {
                bed_replug(board->bed, NULL);
                return true;
        }
        note_stale(day, other);
        other->n_left++;
        other->board = board;
        slot->done = true;
        bed_replug(board->bed, other->port);
        return true;
}

static bool scrap(struct day *day, struct day_slot *slot)
{
        if (!is_pulled(day, slot->board) || !shows(day, slot, PHASE_FAILED))
                return false;
        slot->board = NULL;
        return true;
}

/* A quarter is kept for the last daemon: what it leaves open must show. */
static unsigned boards_for_now(const struct day *day)
{
        return day->n_events < DAY_EVENTS ? day->n_boards - day->n_boards / 4 : day->n_boards;
}

static struct day_board *next_good_board(struct day *day)
{
        unsigned n = boards_for_now(day);

        for (unsigned i = day->next; i < n; i++) {
                struct day_board *board = &day->boards[i];

                if (board->kind->script == DAY_WAIT && board->kind->verdict == VERDICT_FLASHED &&
                    !board->kind->leaves && !board->bed)
                        return board;
        }
        return NULL;
}

static bool swap(struct day *day, struct day_slot *slot)
{
        struct day_board *board = slot->board, *other;

        if (board->step > 0)
                return wait_until_done(day, slot);
        if (!is_pulled(day, board))
                return false;
        other = next_good_board(day);
        if (board->chip == ROM_S2)
                day_expect_job(day, board, index_of(day, slot), VERDICT_BOARD_LEFT);
        else if (other)
                day_expect_job(day, board, index_of(day, slot), VERDICT_REPLACED);
        if (other) {
                plug_board(day, slot, other);
                return true;
        }
        /* There is none any more: it is put back. */
        day_expect_job(day, board, index_of(day, slot), VERDICT_FLASHED);
        board->step++;
        bed_replug(board->bed, NULL);
        return true;
}

static bool cancel(struct day *day, struct day_slot *slot)
{
        struct day_board *board = slot->board;

        if (board->step == 0 && is_mid_file(day, slot)) {
                ORDER(day, "cancel", slot->name);
                board->step++;
                if (board->kind->script == DAY_RETRY)
                        ORDER(day, "retry", slot->name);
                return true;
        }
        return board->step > 0 && wait_until_done(day, slot);
}

static bool hold(struct day *day, struct day_slot *slot)
{
        struct day_board *board = slot->board;

        if (board->step > 0)
                return wait_until_done(day, slot);
        if (!shows(day, slot, PHASE_HELD))
                return false;
        ORDER(day, "release", slot->name);
        board->step++;
        return true;
}

static bool again(struct day *day, struct day_slot *slot)
{
        struct day_board *board = slot->board;

        if (!wait_until_done(day, slot))
                return false;
        if (board->step++ == 0)
                g_queue_push_tail(&day->again, board);
        return true;
}

static bool application(struct day *day, struct day_slot *slot)
{
        struct day_board *board = slot->board;
        const struct slot_status *status = look(day, slot);

        if (board->step == 0 && shows(day, slot, PHASE_FLASHED)) {
                bed_pull(board->bed);
                board->step++;
                return true;
        }
        if (board->step == 1 && status->phase == PHASE_EMPTY) {
                bed_replug(board->bed, NULL);
                board->step++;
                return true;
        }
        if (board->step < 2 || status->phase != PHASE_FLASHED)
                return false;
        if (!status->message || !strstr(status->message, "taken for its application"))
                fail_msg("%s: expected its application, it says %s", slot->name, status->message);
        take_out(slot);
        return true;
}

static bool flap(struct day *day, struct day_slot *slot)
{
        if (!is_pulled(day, slot->board) || !shows(day, slot, PHASE_HELD))
                return false;
        expect_said(look(day, slot)->message, "held: flapping: left 3 times within a minute");
        ORDER(day, "release", slot->name);
        slot->done = true;
        return true;
}

static bool (*const scripts[])(struct day *day, struct day_slot *slot) = {
        [DAY_WAIT] = wait_until_done,
        [DAY_PUT_BACK] = put_back,
        [DAY_MOVE] = move,
        [DAY_SCRAP] = scrap,
        [DAY_SWAP] = swap,
        [DAY_CANCEL] = cancel,
        [DAY_RETRY] = cancel,
        [DAY_HOLD] = hold,
        [DAY_AGAIN] = again,
        [DAY_APPLICATION] = application,
        [DAY_FLAP] = flap,
};

/* ---- the rounds ---- */

/* Not where it was: there it would be taken for its application. */
static struct day_board *next_again(struct day *day, const struct day_slot *slot)
{
        struct day_board *board = g_queue_peek_head(&day->again);

        return board && board->last_slot != index_of(day, slot) ? g_queue_pop_head(&day->again) : NULL;
}

static struct day_board *next_board(struct day *day, const struct day_slot *slot)
{
        struct day_board *board;
        unsigned n = boards_for_now(day);

        if (day->event_is_due)
                return next_good_board(day);
        while (day->next < n && day->boards[day->next].bed)
                day->next++;
        if (day->next == n || g_rand_boolean(day->chance)) {
                board = next_again(day, slot);
                if (board || day->next == n)
                        return board;
        }
        board = &day->boards[day->next];
        return may_be_in(slot, board) ? board : next_good_board(day);
}

/* Whether something was done at this slot. */
static bool attend(struct day *day, struct day_slot *slot)
{
        struct day_board *board;

        if (slot->done) {
                if (look(day, slot)->phase != PHASE_EMPTY)
                        return false;
                slot->done = false;
                slot->board = NULL;
                return true;
        }
        if (slot->board)
                return scripts[slot->board->kind->script](day, slot);
        board = next_board(day, slot);
        if (board)
                plug_board(day, slot, board);
        return board;
}

/* ---- what happens to the station ---- */

/* Every board that is there would be treated the same by another daemon, which knows what the ledger says. */
static bool only_plain_boards(const struct day *day)
{
        for (unsigned i = 0; i < DAY_SLOTS; i++) {
                const struct day_board *board = day->slots[i].board;

                if (board && (board->kind->script != DAY_WAIT || board->kind->leaves))
                        return false;
        }
        return true;
}

static void note_interruption(struct day *day)
{
        for (unsigned i = 0; i < DAY_SLOTS; i++)
                if (day->slots[i].board)
                        day->slots[i].board->interrupted = true;
}

/* Boards are put into two free slots while no daemon runs. */
static void plug_meanwhile(struct day *day)
{
        unsigned n = 0;

        for (unsigned i = 0; i < DAY_SLOTS && n < 2; i++) {
                struct day_board *board = next_good_board(day);

                if (day->slots[i].board || !board)
                        continue;
                plug_board(day, &day->slots[i], board);
                n++;
        }
}

static void reload(struct day *day)
{
        day_configure(day, 5);
        ORDER(day, "reload");
}

static void restart(struct day *day)
{
        stop_daemon(&day->line);
        plug_meanwhile(day);
        start_daemon(&day->line);
}

static void crash(struct day *day)
{
        kill_daemon(&day->line);
        plug_meanwhile(day);
        start_daemon(&day->line);
}

/* In the order of the day, as parts of its boards. */
static const struct {
        double part;
        void (*happens)(struct day *day);
} events[DAY_EVENTS] = { { 0.2, crash }, { 0.35, restart }, { 0.5, crash }, { 0.7, reload } };

static void let_things_happen(struct day *day)
{
        if (day->n_events == DAY_EVENTS)
                return;
        if (day->n_plugged >= (unsigned)(events[day->n_events].part * day->n_boards))
                day->event_is_due = true;
        if (!day->event_is_due || !only_plain_boards(day))
                return;
        if (events[day->n_events].happens != reload)
                note_interruption(day);
        events[day->n_events++].happens(day);
        day->event_is_due = false;
}

/* ---- the rounds ---- */

struct news {
        struct day *day;
        unsigned long n_updates;
        unsigned n_gone;
};

static unsigned count_gone(const struct day *day)
{
        unsigned n = 0;

        for (unsigned i = 0; i < DAY_SLOTS; i++)
                n += day->slots[i].board && bed_board_is_gone(day->slots[i].board->bed);
        return n;
}

static bool has_news(void *userdata)
{
        const struct news *news = userdata;

        return news->day->line.n_updates != news->n_updates || count_gone(news->day) != news->n_gone;
}

static void tell_where_it_stands(struct day *day)
{
        for (unsigned i = 0; i < DAY_SLOTS; i++) {
                const struct day_slot *slot = &day->slots[i];
                const struct slot_status *status = slot_of(&day->line, slot->name);

                if (slot->board && status)
                        print_message("%s: board %u (%s, chip %u, step %u, %s the bus): %s, %s\n", slot->name,
                                      slot->board->number, slot->board->kind->name, slot->board->chip,
                                      slot->board->step, bed_is_present(slot->board->bed) ? "on" : "off",
                                      phase_to_string(status->phase),
                                      status->message ? status->message : "-");
        }
        print_message("the daemon said:\n%s\n", bed_output(day->line.daemon));
        line_show_standstill(&day->line);
}

static void wait_for_news(struct day *day, struct news *news)
{
        if (bed_wait(day->line.bed, has_news, news, STALLED))
                return;
        tell_where_it_stands(day);
        fail_msg("nothing happens on the line any more");
}

static bool is_over(const struct day *day)
{
        for (unsigned i = 0; i < DAY_SLOTS; i++)
                if (day->slots[i].board)
                        return false;
        return day->next == day->n_boards && g_queue_is_empty((GQueue *)&day->again);
}

void day_work(struct day *day)
{
        bool busy;

        do {
                struct news news = { .day = day, .n_updates = day->line.n_updates };

                bed_lock(day->line.bed);
                news.n_gone = count_gone(day);
                bed_unlock(day->line.bed);
                busy = false;
                for (unsigned i = 0; i < DAY_SLOTS; i++)
                        busy |= attend(day, &day->slots[i]);
                let_things_happen(day);
                if (!busy && !is_over(day))
                        wait_for_news(day, &news);
        } while (busy || !is_over(day));
}
