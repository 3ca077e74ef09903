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
 * theirs; and one watch, whatever the number of board-data folders. The bed's own library keeps a socket for some of them.
 */
#define LEDGER_FILES_MAX  9
#define WATCHES_MAX       1
#define OTHER_SOCKETS_MAX 32 /* engines' channels too: one left open for each would be many more */

/* Whether it is the station's socket or a connection to it. sockets: /proc/net/unix. */
static bool is_station_socket(const char *target, const char *sockets)
{
        g_autofree char *inode = g_strdup_printf(" %llu ", strtoull(target + strlen("socket:["), NULL, 10));
        g_autofree char *path = g_strdup_printf("%s/socket\n", day.line.dir);
        const char *at = strstr(sockets, inode);

        return at && g_str_has_prefix(at + strlen(inode), path);
}

struct open_files {
        unsigned n_ledger, n_watches, n_sockets;
};

/* What a descriptor is called; NULL where one of its kind is no more than there may be. Takes target. */
static char *describe_descriptor(struct open_files *files, const char *sockets, char *target)
{
        g_autofree char *owned = target;

        if (strstr(target, "/state/ledger.sqlite") && ++files->n_ledger <= LEDGER_FILES_MAX)
                return NULL;
        if (streq(target, "anon_inode:inotify") && ++files->n_watches <= WATCHES_MAX)
                return NULL;
        if (g_str_has_prefix(target, "pipe:["))
                return g_strdup("pipe");
        if (!g_str_has_prefix(target, "socket:["))
                return take_ptr(owned);
        if (is_station_socket(target, sockets))
                return g_strdup("socket of the station");
        return ++files->n_sockets <= OTHER_SOCKETS_MAX ? NULL : g_strdup("socket");
}

/* What the daemon has open beside that, sorted, a line for each. To be freed. */
static char *descriptors_of(pid_t pid)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/fd", (int)pid), *sockets = NULL;
        g_autoptr(GPtrArray) open = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        struct open_files files = { 0 };
        const char *name;

        assert_non_null(dir);
        assert_true(g_file_get_contents("/proc/net/unix", &sockets, NULL, NULL));
        while ((name = g_dir_read_name(dir))) {
                g_autofree char *link = g_build_filename(path, name, NULL);
                char *target = g_file_read_link(link, NULL);
                char *text = target ? describe_descriptor(&files, sockets, target) : NULL;

                if (text)
                        g_ptr_array_add(open, text);
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
