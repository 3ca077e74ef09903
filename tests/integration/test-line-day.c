/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A day on a line: 40 slots, four policies, three images; every tenth board is bad in its own way, an operator pulls wrong
 * boards, cancels, holds and tries again; the daemon is killed twice, stopped once and reloaded. In the end the ledger, the
 * flash arrays and the files that boards got are compared with what was plugged in.
 *
 * ESPDFU_DAY_BOARDS (100; 500 is a whole day) and ESPDFU_DAY_SEED choose another one.
 */
#include "tests/integration/day.h"

static struct day day;

static unsigned from_environment(const char *name, unsigned otherwise)
{
        const char *text = getenv(name);

        return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static int begin(void **state)
{
        unsigned n_boards = from_environment("ESPDFU_DAY_BOARDS", 100);
        unsigned seed = from_environment("ESPDFU_DAY_SEED", 1);

        (void)state;
        print_message("ESPDFU_DAY_BOARDS=%u ESPDFU_DAY_SEED=%u\n", n_boards, seed);
        day_plan(&day, n_boards, seed);
        day_begin(&day);
        return 0;
}

static int end(void **state)
{
        (void)state;
        day_end(&day);
        return 0;
}

/* ---- what the station keeps ---- */

static char *children_of(pid_t pid)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children", (int)pid, (int)pid);
        char *text = NULL;

        assert_true(g_file_get_contents(path, &text, NULL, NULL));
        return text;
}

static gint by_text(gconstpointer a, gconstpointer b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/*
 * What is opened when it is first needed, and then stays: three connections to the ledger with its log, beside three files of
 * theirs; and one watch, whatever the number of board-data folders.
 */
#define LEDGER_FILES_MAX 9
#define WATCHES_MAX      1

/* What the daemon has open beside that, sorted, a line for each; sockets and pipes without their numbers. To be freed. */
static char *descriptors_of(pid_t pid)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/fd", (int)pid);
        g_autoptr(GPtrArray) open = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        unsigned n_ledger = 0, n_watches = 0;
        const char *name;

        assert_non_null(dir);
        while ((name = g_dir_read_name(dir))) {
                g_autofree char *link = g_build_filename(path, name, NULL);
                char *target = g_file_read_link(link, NULL);

                if (!target)
                        continue;
                if (g_str_has_prefix(target, "socket:[") || g_str_has_prefix(target, "pipe:["))
                        *strchr(target, ':') = '\0';
                if ((strstr(target, "/state/ledger.sqlite") && ++n_ledger <= LEDGER_FILES_MAX) ||
                    (streq(target, "anon_inode:inotify") && ++n_watches <= WATCHES_MAX)) {
                        g_free(target);
                        continue;
                }
                g_ptr_array_add(open, target);
        }
        g_ptr_array_sort(open, by_text);
        g_ptr_array_add(open, NULL);
        return g_strjoinv("\n", (char **)open->pdata);
}

static bool has_descriptors(void *userdata)
{
        g_autofree char *now = descriptors_of(bed_pid(day.line.daemon));

        return streq(now, userdata);
}

/* All that it opened for boards and clients is closed. */
static void expect_descriptors(char *before)
{
        g_autofree char *now = NULL;

        if (bed_wait(day.line.bed, has_descriptors, before, PATIENCE))
                return;
        now = descriptors_of(bed_pid(day.line.daemon));
        g_printerr("in the morning the daemon had open:\n%s\nin the evening:\n%s\n", before, now);
        fail_msg("the daemon has not closed all that it opened");
}

/* Nothing is there, nothing goes on, nobody holds anything. What a board that is gone left in a slot is told, no more. */
static void expect_quiet_line(const struct station_status *station)
{
        assert_int_equal(station->running, 0);
        assert_int_equal(station->waiting, 0);
        assert_null(station->held);
        assert_null(station->ledger_trouble);
        assert_null(station->config_error);
        assert_int_equal(station->n_slots, DAY_SLOTS);
        for (unsigned i = 0; i < DAY_SLOTS; i++) {
                const struct slot_status *slot = slot_of(&day.line, day.slots[i].name);

                assert_non_null(slot);
                if (slot->phase != PHASE_EMPTY &&
                    (slot->phase != PHASE_FAILED || slot->last_verdict != VERDICT_BOARD_LEFT))
                        fail_msg("slot %s in the evening: %s, %s", slot->slot, phase_to_string(slot->phase),
                                 slot->message ? slot->message : "-");
        }
}

static void test_every_board_of_the_day_is_accounted_for(void **state)
{
        g_autofree char *morning = descriptors_of(bed_pid(day.line.daemon)), *engines = NULL;

        (void)state;
        day_work(&day);
        assert_int_equal(day.n_plugged, day.n_boards);
        expect_quiet_line(&day.line.status.station);
        engines = children_of(bed_pid(day.line.daemon));
        assert_string_equal(engines, "");
        day_close_book(&day);
        expect_descriptors(morning);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_every_board_of_the_day_is_accounted_for, begin, end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
