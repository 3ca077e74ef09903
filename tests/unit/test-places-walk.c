/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A random walk along a line: boards come, are flashed, fail and come again for the next attempt, are held for a while;
 * limits change as with a reload. A checker that only knows who may not start, who must, and for how long at most a board
 * can have to wait. It finds the hubs above a board by walking up its port, and counts everything anew each time.
 */
#include <inttypes.h>
#include <stdio.h>

#include "core/places.h"
#include "tests/unit/config-text.h"

#define STEPS       20000
#define BOARDS      48
#define HUBS        10
#define ATTEMPTS    3
#define RUN_MAX     8 /* steps that one attempt may take */
#define WAIT_LEVELS 5 /* the limits that one board can meet: four hubs above it, and the station */

static const char *const hub_ports[HUBS] = {
        "1-1", "1-2", "2-1", "1-1.1", "1-1.2", "1-2.3", "1-1.1.1", "1-1.1.2", "1-2.3.4", "1-1.1.1.1",
};

struct board {
        bool here, runs, held;
        char port[24];
        uint64_t ticket;
        unsigned attempts; /* that are left */
        unsigned until;    /* runs: the step of its end; else: of its next attempt's beginning */
        unsigned waited;   /* looks at which it wanted a place and got none */
        unsigned patience;
};

struct walk {
        uint64_t random, tickets;
        unsigned step;
        struct config *config;
        struct board boards[BOARDS];
        unsigned served, overtaken, waits_of_hub, waits_of_station, longest_wait;
};

static uint32_t roll(struct walk *w, uint32_t sides)
{
        w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (uint32_t)(w->random >> 33) % sides;
}

static void check(const struct walk *w, const struct board *b, bool rule, const char *what)
{
        if (!rule)
                fail_msg("step %u, board %" PRIu64 " on %s: %s", w->step, b->ticket, b->port, what);
}

/* ---- what the checker knows ---- */

static bool stands_below(const char *port, const char *hub)
{
        char up[24];
        char *dot;

        snprintf(up, sizeof(up), "%s", port);
        while ((dot = strrchr(up, '.'))) {
                *dot = '\0';
                if (streq(up, hub))
                        return true;
        }
        return false;
}

/* hub NULL: the station. */
static bool counts_for(const struct board *b, const struct config_hub *hub)
{
        return !hub || stands_below(b->port, hub->port);
}

static unsigned limit_of(const struct walk *w, const struct config_hub *hub)
{
        return hub ? hub->jobs_max : w->config->jobs_max;
}

static bool is_full(const struct walk *w, const struct config_hub *hub)
{
        unsigned running = 0;

        for (size_t i = 0; i < BOARDS; i++)
                running += w->boards[i].runs && counts_for(&w->boards[i], hub);
        return limit_of(w, hub) != 0 && running >= limit_of(w, hub);
}

static bool wants(const struct walk *w, const struct board *b)
{
        return b->here && !b->runs && !b->held && w->step >= b->until;
}

static const struct config_hub *hub_of(const struct walk *w, const struct place_answer *answer)
{
        return answer->type == PLACE_HUB_FULL ? &w->config->hubs[answer->hub] : NULL;
}

/* Who is answered first came first; who waits has a reason, and nobody behind it took what it waits for. */
static void check_one(struct walk *w, const struct place_want *all, size_t n, size_t i)
{
        struct board *b = all[i].who;
        const struct config_hub *hub = hub_of(w, &all[i].answer);

        check(w, b, i == 0 || all[i - 1].ticket < all[i].ticket, "is not in the order of coming");
        if (all[i].answer.type == PLACE_GIVEN) {
                /* As those before it have started, and none behind it. */
                check(w, b, !is_full(w, NULL), "starts, though the station is full");
                for (size_t k = 0; k < w->config->n_hubs; k++)
                        check(w, b, !counts_for(b, &w->config->hubs[k]) || !is_full(w, &w->config->hubs[k]),
                              "starts, though a hub is full");
                b->runs = true;
                return;
        }
        check(w, b, counts_for(b, hub), "waits for a hub that it is not below");
        check(w, b, is_full(w, hub), "waits for what is not full");
        for (size_t k = i + 1; k < n; k++) {
                if (all[k].answer.type != PLACE_GIVEN)
                        continue;
                check(w, all[k].who, !counts_for(all[k].who, hub), "goes past one that waits for the same");
                w->overtaken++;
        }
        for (size_t k = 0; hub && k < w->config->n_hubs; k++)
                check(w, b,
                      strlen(w->config->hubs[k].port) <= strlen(hub->port) ||
                              !counts_for(b, &w->config->hubs[k]) || !is_full(w, &w->config->hubs[k]),
                      "is not told the nearest full hub");
        w->waits_of_hub += hub != NULL;
        w->waits_of_station += hub == NULL;
        check(w, b, ++b->waited <= b->patience, "starves");
        w->longest_wait = MAX(w->longest_wait, b->waited);
}

/* ---- what happens ---- */

static bool port_is_taken(const struct walk *w, const char *port)
{
        for (size_t i = 0; i < BOARDS; i++)
                if (w->boards[i].here && streq(w->boards[i].port, port))
                        return true;
        return false;
}

/*
 * How long a board can have to wait: before it is the first in its hubs, each board that came before it may keep it from
 * each of its limits for one attempt's time, as often as it has attempts; then, each limit in turn, for one more.
 */
static unsigned patience_of(const struct walk *w)
{
        unsigned before = 0;

        for (size_t i = 0; i < BOARDS; i++)
                before += w->boards[i].here;
        return (before * ATTEMPTS + 1) * WAIT_LEVELS * RUN_MAX;
}

static void board_comes(struct walk *w, struct board *b)
{
        char port[24];
        int n = snprintf(port, sizeof(port), "%u-%u", 1 + roll(w, 2), 1 + roll(w, 3));

        for (unsigned depth = roll(w, 5); depth > 0; depth--)
                n += snprintf(port + n, sizeof(port) - (size_t)n, ".%u", 1 + roll(w, 4));
        if (port_is_taken(w, port))
                return;
        *b = (struct board){ .patience = patience_of(w),
                             .here = true,
                             .ticket = ++w->tickets,
                             .attempts = 1 + roll(w, ATTEMPTS) };
        memcpy(b->port, port, sizeof(port));
}

static void board_goes_on(struct walk *w, struct board *b)
{
        if (!b->here) {
                if (roll(w, 6) == 0)
                        board_comes(w, b);
        } else if (!b->runs) {
                if (roll(w, 100) == 0)
                        b->held = !b->held || roll(w, 5) > 0;
                else if (b->held && roll(w, 5) == 0)
                        b->held = false;
        } else if (w->step >= b->until) {
                b->runs = false;
                b->here = --b->attempts > 0;
                b->until = w->step + roll(w, 4); /* retry-delay */
                w->served += !b->here;
        }
}

/* A reload. What is given up for a lower limit may make every board wait once more for each of its limits. */
static void limits_change(struct walk *w)
{
        if (roll(w, 200) > 0)
                return;
        w->config->jobs_max = roll(w, 3) == 0 ? 0 : 1 + roll(w, 12);
        for (size_t i = 0; i < w->config->n_hubs; i++)
                w->config->hubs[i].jobs_max = roll(w, 4) == 0 ? 0 : 1 + roll(w, 5);
        for (size_t i = 0; i < BOARDS; i++)
                w->boards[i].patience += WAIT_LEVELS * RUN_MAX;
}

static void look(struct walk *w)
{
        struct place_want all[BOARDS];
        struct places places;
        size_t n = 0;

        places_init(&places, w->config);
        for (size_t i = 0; i < BOARDS; i++) {
                struct board *b = &w->boards[(i * 7) % BOARDS]; /* in no order */
                uint64_t hubs = hubs_above(w->config, NULL, b->port);

                if (b->here && b->runs)
                        places_take(&places, hubs);
                else if (wants(w, b))
                        all[n++] = (struct place_want){ .ticket = b->ticket, .hubs = hubs, .who = b };
        }
        places_give(&places, all, n);
        for (size_t i = 0; i < n; i++) {
                struct board *b = all[i].who;

                check_one(w, all, n, i);
                if (b->runs) {
                        b->until = w->step + 1 + roll(w, RUN_MAX);
                        b->waited = 0;
                        b->patience = patience_of(w);
                }
        }
}

static struct config *read_hubs(void)
{
        char text[1024] = "";
        int n = 0;

        for (size_t i = 0; i < HUBS; i++)
                n += snprintf(text + n, sizeof(text) - (size_t)n, "[hub h%zu]\nport = %s\njobs-max = 2\n", i,
                              hub_ports[i]);
        return read_text(text, "");
}

static void test_no_limit_is_passed_nobody_starves_and_order_is_kept(void **state)
{
        struct walk w = { .random = 4 };

        (void)state;
        w.config = read_hubs();
        for (w.step = 0; w.step < STEPS; w.step++) {
                for (size_t i = 0; i < BOARDS; i++)
                        board_goes_on(&w, &w.boards[i]);
                limits_change(&w);
                look(&w);
        }
        config_free(w.config);
        /* It has been everywhere. */
        print_message("%u served, %u overtaken, %u times a hub, %u times the station, longest wait %u\n",
                      w.served, w.overtaken, w.waits_of_hub, w.waits_of_station, w.longest_wait);
        assert_true(w.served > 1000 && w.overtaken > 1000 && w.waits_of_hub > 1000 &&
                    w.waits_of_station > 1000);
}

/* As many as a station can have: every board is looked at, nobody is forgotten. */
static void test_thousand_boards_below_sixty_four_hubs_are_all_answered(void **state)
{
        static struct place_want all[1024];
        static char text[CONFIG_HUBS_MAX * 64];
        _cleanup_(config_freep) struct config *config = NULL;
        struct places places;
        size_t at = 0;
        unsigned granted[CONFIG_HUBS_MAX] = { 0 };

        (void)state;
        for (unsigned i = 0; i < CONFIG_HUBS_MAX; i++)
                at += (size_t)snprintf(text + at, sizeof(text) - at,
                                       "[hub h%u]\nport = 1-%u\njobs-max = %u\n", i, i + 1, i + 1);
        config = read_text(text, "");
        places_init(&places, config);
        for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
                char port[24];

                snprintf(port, sizeof(port), "1-%u.%u", i % CONFIG_HUBS_MAX + 1, i / CONFIG_HUBS_MAX + 1);
                all[i] = (struct place_want){ .ticket = 5000 - i, .hubs = hubs_above(config, NULL, port) };
        }
        places_give(&places, all, ARRAY_SIZE(all));
        for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
                assert_int_equal(all[i].ticket, 5000 - 1023 + i);
                for (unsigned k = 0; k < CONFIG_HUBS_MAX; k++)
                        if (all[i].hubs == UINT64_C(1) << k && all[i].answer.type == PLACE_GIVEN)
                                granted[k]++;
        }
        for (unsigned k = 0; k < CONFIG_HUBS_MAX; k++)
                assert_int_equal(granted[k], MIN(k + 1, 16u));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_no_limit_is_passed_nobody_starves_and_order_is_kept),
                cmocka_unit_test(test_thousand_boards_below_sixty_four_hubs_are_all_answered),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
