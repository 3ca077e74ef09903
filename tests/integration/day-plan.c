/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which boards come, in which order, and what is the matter with them: every tenth is bad, and as many are handled oddly. */
#include "tests/integration/day.h"

#define AT_BLOCK(n, ...)                                                                                     \
        {                                                                                                    \
                .when = ROM_AT_BLOCK, .nth = (n), __VA_ARGS__                                                \
        }
#define AT_REQUEST(r, n, ...)                                                                                \
        {                                                                                                    \
                .when = ROM_AT_REQUEST, .request = (r), .nth = (n), __VA_ARGS__                              \
        }

static const struct day_kind good = {
        .name = "good",
        .chips = DAY_ANY,
        .phase = PHASE_FLASHED,
        .verdict = VERDICT_FLASHED,
};

/* They never end flashed, or not as the board that came first. */
static const struct day_kind bad[] = {
        { .name = "flash that does not hold what was written",
          .chips = DAY_ANY,
          .faults = { { .when = ROM_AT_MANIFEST, .what = ROM_DO_FLIP_BIT, .value = (0x10000 + 77) << 3 } },
          .n_faults = 1,
          .phase = PHASE_FAILED,
          .verdict = VERDICT_VERIFY_FAILED },
        { .name = "no policy for it", .chips = DAY_S31, .place = DAY_NOT_IN_C, .phase = PHASE_NO_POLICY },
        { .name = "its slot's image is for another chip",
          .chips = DAY_S31,
          .place = DAY_IN_C,
          .phase = PHASE_UNUSABLE,
          .says = "made for 303a:0009: board is 303a:0020" },
        { .name = "refuses every block",
          .chips = DAY_ANY,
          .faults = { AT_BLOCK(0, .what = ROM_DO_STALL) },
          .n_faults = 1,
          .phase = PHASE_FAILED,
          .verdict = VERDICT_STALLED },
        { .name = "left in mid-file and scrapped",
          .chips = DAY_ANY,
          .script = DAY_SCRAP,
          .faults = { AT_BLOCK(25, .what = ROM_DO_UNPLUG) },
          .n_faults = 1,
          .leaves = true,
          .phase = PHASE_FAILED,
          .verdict = VERDICT_BOARD_LEFT },
        { .name = "error while writing, every time",
          .chips = DAY_ANY,
          .faults = { AT_BLOCK(0, .what = ROM_DO_ERROR, .value = ROM_ERR_FIRMWARE) },
          .n_faults = 1,
          .phase = PHASE_FAILED,
          .verdict = VERDICT_BOARD_ERROR },
        { .name = "an application that only looks like the ROM",
          .chips = DAY_ANY,
          .not_the_rom = true,
          .phase = PHASE_NO_POLICY,
          .says = "not the mask ROM: an application, left alone" },
        { .name = "pulled in mid-file, another one in its place",
          .chips = DAY_ANY,
          .script = DAY_SWAP,
          .faults = { AT_BLOCK(25, .what = ROM_DO_UNPLUG) },
          .n_faults = 1,
          .leaves = true,
          .phase = PHASE_FLASHED, /* the other one */
          .verdict = VERDICT_REPLACED,
          .first_of_s2 = VERDICT_BOARD_LEFT },
        { .name = "refuses DETACH",
          .chips = DAY_ANY,
          .faults = { AT_REQUEST(ROM_DETACH, 0, .what = ROM_DO_STALL) },
          .n_faults = 1,
          .phase = PHASE_FAILED,
          .verdict = VERDICT_STALLED },
        { .name = "loses its contact three times",
          .chips = DAY_S3,
          .script = DAY_FLAP,
          .faults = { AT_BLOCK(25, .what = ROM_DO_UNPLUG, .value = 20000),
                      AT_BLOCK(50, .what = ROM_DO_UNPLUG, .value = 20000),
                      AT_BLOCK(75, .what = ROM_DO_UNPLUG) },
          .n_faults = 3,
          .leaves = true,
          .phase = PHASE_HELD,
          .verdict = VERDICT_BOARD_LEFT },
        { .name = "falls silent",
          .chips = DAY_ANY,
          .faults = { AT_BLOCK(10, .what = ROM_DO_HANG) },
          .n_faults = 1,
          .long_day = true,
          .phase = PHASE_FAILED,
          .verdict = VERDICT_TIMED_OUT },
};

/* They all end well, if the operator wants it. */
static const struct day_kind odd[] = {
        { .name = "pulled in mid-file and put back",
          .chips = DAY_ANY,
          .script = DAY_PUT_BACK,
          .faults = { AT_BLOCK(25, .what = ROM_DO_UNPLUG) },
          .n_faults = 1,
          .leaves = true,
          .phase = PHASE_FLASHED,
          .verdict = VERDICT_FLASHED,
          .first_of_s2 = VERDICT_BOARD_LEFT },
        { .name = "plugged in once more",
          .chips = DAY_ANY,
          .script = DAY_AGAIN,
          .phase = PHASE_FLASHED,
          .verdict = VERDICT_FLASHED },
        { .name = "stalls once",
          .chips = DAY_ANY,
          .faults = { AT_BLOCK(20, .what = ROM_DO_STALL) },
          .n_faults = 1,
          .phase = PHASE_FLASHED,
          .verdict = VERDICT_FLASHED },
        { .name = "pulled in mid-file and put elsewhere",
          .chips = DAY_MAC,
          .script = DAY_MOVE,
          .faults = { AT_BLOCK(25, .what = ROM_DO_UNPLUG) },
          .n_faults = 1,
          .leaves = true,
          .phase = PHASE_FLASHED,
          .verdict = VERDICT_FLASHED },
        { .name = "cancelled",
          .chips = DAY_ANY,
          .script = DAY_CANCEL,
          .transfer_usec = 20000,
          .phase = PHASE_CANCELLED,
          .verdict = VERDICT_CANCELLED },
        { .name = "its application comes up",
          .chips = DAY_S3,
          .script = DAY_APPLICATION,
          .phase = PHASE_FLASHED,
          .verdict = VERDICT_FLASHED },
        { .name = "in DFU mode from the beginning",
          .chips = DAY_ANY,
          .in_dfu_mode = true,
          .phase = PHASE_FLASHED,
          .verdict = VERDICT_FLASHED },
        { .name = "loses its contact for a moment",
          .chips = DAY_ANY,
          .faults = { AT_BLOCK(25, .what = ROM_DO_UNPLUG, .value = 20000) },
          .n_faults = 1,
          .leaves = true,
          .phase = PHASE_FLASHED,
          .verdict = VERDICT_FLASHED,
          .first_of_s2 = VERDICT_BOARD_LEFT },
        { .name = "cancelled, then tried again",
          .chips = DAY_ANY,
          .script = DAY_RETRY,
          .transfer_usec = 20000,
          .phase = PHASE_FLASHED,
          .verdict = VERDICT_FLASHED,
          .first = VERDICT_CANCELLED },
        { .name = "held",
          .chips = DAY_ANY,
          .script = DAY_HOLD,
          .phase = PHASE_FLASHED,
          .verdict = VERDICT_FLASHED },
        { .name = "an error once",
          .chips = DAY_ANY,
          .faults = { AT_BLOCK(30, .what = ROM_DO_ERROR, .value = ROM_ERR_FIRMWARE) },
          .n_faults = 1,
          .phase = PHASE_FLASHED,
          .verdict = VERDICT_FLASHED },
};

static enum rom_chip pick_chip(struct day *day, unsigned chips)
{
        unsigned chip;

        do
                chip = (unsigned)g_rand_int_range(day->chance, 0, ROM_N_CHIPS);
        while (!(chips & (1u << chip)));
        return chip;
}

static const struct day_kind *pick_kind(unsigned number, unsigned n_boards, unsigned *n_bad, unsigned *n_odd)
{
        const struct day_kind *kind = &good;

        if (number % 10 == 4) {
                kind = &bad[(*n_bad)++ % ARRAY_SIZE(bad)];
                while (kind->long_day && n_boards < 200)
                        kind = &bad[(*n_bad)++ % ARRAY_SIZE(bad)];
        } else if (number % 10 == 1 || number % 10 == 7) {
                kind = &odd[(*n_odd)++ % ARRAY_SIZE(odd)];
        }
        return kind;
}

void day_plan(struct day *day, unsigned n_boards, uint32_t seed)
{
        unsigned n_bad = 0, n_odd = 0;

        day->chance = g_rand_new_with_seed(seed);
        day->n_boards = n_boards;
        day->boards = g_new0(struct day_board, n_boards);
        day->entries = g_array_new(FALSE, TRUE, sizeof(struct day_entry));
        g_queue_init(&day->again);
        for (unsigned i = 0; i < n_boards; i++) {
                struct day_board *board = &day->boards[i];

                board->number = i;
                board->kind = pick_kind(i, n_boards, &n_bad, &n_odd);
                board->chip = pick_chip(day, board->kind->chips);
                memcpy(board->mac, (uint8_t[]){ 0x7c, 0xdf, 0xa1, 0x0b, (uint8_t)(i >> 8), (uint8_t)i }, 6);
        }
}
