/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A hundred boards are flashed (by engine-replay, which plays espdfu-engine) while 64 clients of four users ask, watch,
 * stall, flood and never read: the boards do not notice, who behaves is answered, and the daemon stays within its bound.
 *
 * ESPDFU_LOAD_ROUNDS (1): how often the boards are flashed meanwhile; ESPDFU_LOAD_MIB (32): what is sent in bulk. `make
 * load` has more of both. ESPDFU_LOAD_STORY: one alone, by its name, with * for the rest. Without root it is skipped: the
 * clients are several users'.
 */
#include "tests/integration/load.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/admission.h"
#include "tests/bench/process.h"

#define BOARDS          100u
#define FEW_DESCRIPTORS 128u
#define SAID            "said {\"error\":\"io.espdfu.Station1."
#define SLACK           1.0 /* s */
#define POLICIES        510u
#define REPLY_KIB_MAX   200u /* docs/performance.md, with a hundred boards */
#define ANSWER_MSEC                                                                                          \
        30000u /* p99 of who behaves: 0.1 s on two quiet processors, 8 s where 25 more want them */

#ifdef ESPDFU_SANITIZERS
#define ROUND_PATIENCE    (5 * PATIENCE) /* a hundred engines that are slow to start */
#define MEMORY_IS_BOUNDED false /* what was released is kept for a while, to find who still uses it */
#else
#define ROUND_PATIENCE    PATIENCE
#define MEMORY_IS_BOUNDED true
#endif

static const char config[] = "[station]\nstop-time = 0s\n"
                             "[policy gizmo]\nchip = esp32s2\nimage = @s2.bin\n"
                             "[policy probe]\nchip = esp32s3\nimage = @s3.bin\n";

static struct line line;
static struct bed_board *boards[BOARDS];

static unsigned from_environment(const char *name, unsigned otherwise)
{
        const char *text = getenv(name);

        return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static int begin(void **state)
{
        (void)state;
        g_setenv("ENGINE_REPLAY_BYTES", "90000", TRUE);
        g_setenv("ENGINE_REPLAY_RATE", "60000", TRUE);
        line_lay_out(&line, config);
        assert_int_equal(chmod(line.dir, 0711), 0); /* the socket is for everybody */
        line.engine = ENGINE_REPLAY;
        line.quiet = true;
        start_daemon(&line);
        return 0;
}

static int begin_with_many_policies(void **state)
{
        g_autoptr(GString) many = g_string_new("[station]\nstop-time = 0s\n");

        (void)state;
        g_setenv("ENGINE_REPLAY_BYTES", "90000", TRUE);
        g_setenv("ENGINE_REPLAY_RATE", "60000", TRUE);
        for (unsigned i = 0; i < POLICIES; i++)
                g_string_append_printf(many,
                                       "[policy other-%03u]\nport = 9-9.%u\nchip = esp32s%u\n"
                                       "image = @s%u.bin\n",
                                       i, i, 2 + i % 2, 2 + i % 2);
        g_string_append(many, strstr(config, "[policy gizmo]"));
        line_lay_out(&line, many->str);
        assert_int_equal(chmod(line.dir, 0711), 0);
        line.engine = ENGINE_REPLAY;
        line.quiet = true;
        start_daemon(&line);
        return 0;
}

static int begin_without_processes(void **state)
{
        static char mark[256];
        static const char *environment[] = { "LD_PRELOAD=" BED_PRELOAD
                                             ":libumockdev-preload.so.0:" NO_PROCESS,
                                             mark, NULL };

        (void)state;
        line_lay_out(&line, config);
        g_snprintf(mark, sizeof(mark), "NO_PROCESS_WHILE=%s/no-process", line.dir);
        line.environment = environment;
        line.engine = ENGINE_REPLAY;
        line.quiet = true;
        start_daemon(&line);
        return 0;
}

static int end(void **state)
{
        (void)state;
        line_end(&line);
        memset(boards, 0, sizeof(boards));
        return 0;
}

/* ---- a hundred boards ---- */

static const char *place(unsigned n)
{
        static char port[16];

        g_snprintf(port, sizeof(port), "%u-4.%u", n / 15 + 1, n % 15 + 1);
        return port;
}

static void plug_all(void)
{
        for (unsigned i = 0; i < BOARDS; i++) {
                const struct rom_config board = { .chip = i % 2 ? ROM_S3 : ROM_S2,
                                                  .mac = { 0x7c, 0xdf, 0xa1, 0x0b, 0, (uint8_t)i },
                                                  .starts_in_dfu_mode = true };

                if (boards[i])
                        bed_replug(boards[i], NULL);
                else
                        boards[i] = plug_with(&line, place(i), &board);
        }
}

static unsigned n_in_phase(enum phase phase)
{
        const struct station_status *station = &line.status.station;
        unsigned n = 0;

        for (size_t i = 0; i < station->n_slots; i++)
                n += station->slots[i].phase == phase;
        return n;
}

static bool all_flashed(void *userdata)
{
        (void)userdata;
        return n_in_phase(PHASE_FLASHED) == BOARDS;
}

static bool none_there(void *userdata)
{
        (void)userdata;
        return n_in_phase(PHASE_EMPTY) == BOARDS;
}

/* How 100 boards went: from the first plug to the last verdict, and what the ledger says of each of them. */
struct round {
        double all, median, slowest; /* seconds */
};

static gint by_size(gconstpointer a, gconstpointer b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

/* The newest attempts: one of each board, flashed. */
static void read_attempts(struct round *round)
{
        g_autofree char *said = NULL, *limit = g_strdup_printf("%u", BOARDS);
        double seconds[BOARDS];
        json_t *history, *row;
        size_t i;

        assert_int_equal(ctl(&line, &said, (const char *[]){ "history", "--json", "--limit", limit, NULL }),
                         0);
        history = json_loads(said, 0, NULL);
        assert_int_equal(json_array_size(json_object_get(history, "attempts")), BOARDS);
        json_array_foreach(json_object_get(history, "attempts"), i, row)
        {
                assert_string_equal(json_string_value(json_object_get(row, "verdict")), "flashed");
                assert_int_equal(json_integer_value(json_object_get(row, "attempt")), 1);
                seconds[i] = (double)json_integer_value(json_object_get(row, "duration_usec")) / USEC_PER_SEC;
        }
        json_decref(history);
        qsort(seconds, BOARDS, sizeof(*seconds), by_size);
        round->median = seconds[BOARDS / 2];
        round->slowest = seconds[BOARDS - 1];
}

/* Plugs all, and pulls them when they are flashed. */
static struct round flash_all(void)
{
        gint64 begun = g_get_monotonic_time();
        struct round round = { 0 };

        plug_all();
        if (!bed_wait(line.bed, all_flashed, NULL, ROUND_PATIENCE))
                fail_msg("%u of %u boards were flashed, %u failed; the daemon said:\n%s",
                         n_in_phase(PHASE_FLASHED), BOARDS, n_in_phase(PHASE_FAILED),
                         bed_output(line.daemon));
        round.all = (double)(g_get_monotonic_time() - begun) / USEC_PER_SEC;
        read_attempts(&round);
        for (unsigned i = 0; i < BOARDS; i++)
                bed_pull(boards[i]);
        if (!bed_wait(line.bed, none_there, NULL, PATIENCE))
                fail_msg("%u boards are still there", BOARDS - n_in_phase(PHASE_EMPTY));
        return round;
}

/* ---- what the daemon takes ---- */

static unsigned n_descriptors(void)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/fd", (int)bed_pid(line.daemon));
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        unsigned n = 0;

        assert_non_null(dir);
        while (g_dir_read_name(dir))
                n++;
        return n;
}

static bool has_descriptors_at_most(void *n)
{
        return n_descriptors() <= *(unsigned *)n;
}

static bool has_descriptors_at_least(void *n)
{
        return n_descriptors() >= *(unsigned *)n;
}

/* ---- the stories ---- */

static void add_everybody(struct crowd *crowd, uint64_t bytes)
{
        static const struct {
                const char *role;
                unsigned user, n;
        } plan[] = {
                { "status", 0, 5 },   { "history", 0, 3 },   { "watch", 0, 5 }, { "reconnect", 0, 3 },
                { "status", 1, 2 },   { "watch", 1, 6 },     { "stall", 1, 4 }, { "reconnect", 1, 4 },
                { "deaf", 2, 6 },     { "drip", 2, 4 },      { "bulk", 2, 1 },  { "calls", 2, 1 },
                { "rude", 2, 2 },     { "nonsense", 2, 2 },  { "grab", 3, 1 },  { "flood", 3, 9 },
                { "nonsense", 3, 2 }, { "reconnect", 3, 4 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(plan); i++)
                crowd_add(crowd, plan[i].user, plan[i].role, plan[i].n, bytes);
}

static void print_round(const char *when, const struct round *round)
{
        print_message("%u boards %s: all in %.2f s, each in %.2f s (median), %.2f s (slowest)\n", BOARDS,
                      when, round->all, round->median, round->slowest);
}

/* Half as much again, and what a machine that is busy with something else may add. */
static void expect_not_slowed(const char *what, double beside, double alone)
{
        if (beside > 1.5 * alone + SLACK)
                fail_msg("%s: %.2f s beside clients, %.2f s without", what, beside, alone);
}

static int by_value(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return x < y ? -1 : x > y;
}

static double median_of(const double *values, size_t n)
{
        g_autofree double *sorted = g_memdup2(values, n * sizeof(*values));

        qsort(sorted, n, sizeof(*sorted), by_value);
        return sorted[(n - 1) / 2];
}

/* Clients are there in every round; what else the machine has to do comes and goes. So it is the median that must hold. */
static void expect_rounds_not_slowed(unsigned rounds, const struct round *alone)
{
        g_autofree double *all = g_new(double, rounds), *each = g_new(double, rounds),
                          *slowest = g_new(double, rounds);

        for (unsigned i = 0; i < rounds; i++) {
                struct round beside = flash_all();

                print_round("beside 64 clients", &beside);
                all[i] = beside.all;
                each[i] = beside.median;
                slowest[i] = beside.slowest;
        }
        expect_not_slowed("all boards", median_of(all, rounds), alone->all);
        expect_not_slowed("each board", median_of(each, rounds), alone->median);
        expect_not_slowed("the slowest board", median_of(slowest, rounds), alone->slowest);
}

static void expect_answered(const struct crowd *crowd, const char *role)
{
        double p99 = crowd_latency(crowd, role, 0.99);

        print_message("%s: %" G_GUINT64_FORMAT " answers, median %.1f ms, p99 %.1f ms\n", role,
                      crowd_sum(crowd, role, "answers"), crowd_latency(crowd, role, 0.5), p99);
        if (p99 > ANSWER_MSEC)
                fail_msg("%s: p99 is %.1f ms: expected at most %u", role, p99, ANSWER_MSEC);
}

/* All that were disconnected know why. */
static void expect_told(const struct crowd *crowd, const char *role, const char *words)
{
        if (crowd_said(crowd, role, words) == 0)
                fail_msg("no client in the role %s was told: %s", role, words);
}

static void test_a_hundred_boards_are_flashed_beside_64_clients_as_without(void **state)
{
        unsigned rounds = from_environment("ESPDFU_LOAD_ROUNDS", 3), before, wanted;
        uint64_t bytes = (uint64_t)from_environment("ESPDFU_LOAD_MIB", 32) * MIB;
        struct crowd crowd = { .line = &line };
        struct round alone;

        (void)state;
        if (geteuid() != 0)
                skip(); /* nobody else's uid to have */
        alone = flash_all();
        print_round("without clients", &alone);
        before = n_descriptors();
        wanted = before + CROWD_MAX / 2;
        add_everybody(&crowd, bytes);
        assert_int_equal(crowd.n, CROWD_MAX);
        assert_true(bed_wait(line.bed, has_descriptors_at_least, &wanted, PATIENCE));
        expect_rounds_not_slowed(rounds, &alone);
        crowd_leave(&crowd);
        if (!bed_wait(line.bed, has_descriptors_at_most, &before, PATIENCE))
                fail_msg("%u descriptors, %u before", n_descriptors(), before);
        crowd_print(&crowd);
        expect_answered(&crowd, "status");
        expect_answered(&crowd, "history");
        expect_answered(&crowd, "reconnect");
        assert_int_equal(crowd_sum(&crowd, "status", "closed"), 0);
        assert_int_equal(crowd_sum(&crowd, "history", "closed"), 0);
        assert_int_equal(crowd_sum(&crowd, "watch", "closed"), 0);
        expect_told(&crowd, "bulk", SAID "Failed\",\"parameters\":{\"message\":\"a call that is too long");
        expect_told(&crowd, "nonsense", SAID "Failed\",\"parameters\":{\"message\":\"what came is no call");
        expect_told(&crowd, "grab", SAID "Busy\"");
}

/* What docs/performance.md says of the daemon's memory, in KiB: of one connection, with the longest reply that there is. */
static unsigned long kib_of_connection(unsigned long reply_kib)
{
        return 80 + 64 + 256 + reply_kib;
}

/* The longest of the replies that grow with boards and policies, in KiB. */
static unsigned long longest_reply_kib(void)
{
        static const char *const calls[][4] = { { "status", "--json" },
                                                { "explain", "--json" },
                                                { "explain", "1-4.1", "--json" } };
        size_t longest = 0;

        for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
                g_autofree char *said = NULL;

                assert_int_equal(ctl(&line, &said, calls[i]), 0);
                longest = MAX(longest, strlen(said));
        }
        return longest / KIB + 1;
}

/* A crowd of so many that never read, in a role. */
static void expect_memory_within_bound(const char *role)
{
        struct crowd crowd = { .line = &line };
        unsigned long before, after, bound, reply;
        pid_t pid = bed_pid(line.daemon);

        flash_all();
        before = process_kib(pid, "status", "VmHWM:");
        for (unsigned user = 0; user < USERS; user++)
                crowd_add(&crowd, user, role, CROWD_MAX / USERS, 0);
        flash_all();
        flash_all();
        reply = longest_reply_kib();
        assert_true(reply <= REPLY_KIB_MAX);
        bound = before + ADMISSION_CONNECTIONS_MAX * kib_of_connection(reply);
        after = process_kib(pid, "status", "VmHWM:");
        print_message(
                "VmHWM with %u boards: %lu KiB, and with %zu clients that do not read %lu KiB; bound: %lu "
                "KiB (a reply of %lu KiB)\n",
                BOARDS, before, crowd.n, after, bound, reply);
        assert_true(after <= bound);
        crowd_leave(&crowd);
        crowd_print(&crowd);
        if (streq(role, "hog"))
                assert_true(crowd_sum(&crowd, role, "closed") > 0); /* it was full */
}

static void test_memory_stays_within_its_bound_however_much_clients_leave_unread(void **state)
{
        (void)state;
        if (geteuid() != 0 || !MEMORY_IS_BOUNDED)
                skip();
        expect_memory_within_bound("hog");
}

/* Boards times policies would be megabytes in each reply. */
static void test_memory_stays_within_its_bound_whoever_asks_why_of_a_hundred_boards_and_all_policies(
        void **state)
{
        (void)state;
        if (geteuid() != 0 || !MEMORY_IS_BOUNDED)
                skip();
        expect_memory_within_bound("ask-why");
}

/* ---- shortages ---- */

static void limit_descriptors(unsigned n)
{
        const struct rlimit limit = { n, n };

        assert_int_equal(prlimit(bed_pid(line.daemon), RLIMIT_NOFILE, &limit, NULL), 0);
}

static unsigned n_said(const char *text)
{
        unsigned n = 0;

        for (const char *p = bed_output(line.daemon); (p = strstr(p, text)); p++)
                n++;
        return n;
}

static bool said_busy(void *text)
{
        return n_said(text) > 0;
}

static void flash_all_quietly(void)
{
        (void)flash_all();
}

static void pass_a_second(void)
{
        g_usleep(G_USEC_PER_SEC);
}

/* Of one processor, in per cent, that the daemon takes meanwhile. */
static double share_while(void (*passes)(void))
{
        uint64_t cpu = process_cpu_nsec(bed_pid(line.daemon));
        gint64 begun = g_get_monotonic_time();

        passes();
        return (double)(process_cpu_nsec(bed_pid(line.daemon)) - cpu) / 10 /
               (double)(g_get_monotonic_time() - begun);
}

static void test_clients_that_take_all_descriptors_leave_those_of_boards(void **state)
{
        struct crowd crowd = { .line = &line };
        double share;

        (void)state;
        if (geteuid() != 0)
                skip();
        limit_descriptors(FEW_DESCRIPTORS);
        for (unsigned user = 0; user < USERS; user++)
                crowd_add(&crowd, user, "grab", 4, 0);
        assert_true(bed_wait(line.bed, said_busy, (void *)(uintptr_t) "is not taken", PATIENCE));
        print_message("%u descriptors, all wanted: %.1f %% of a processor while boards are flashed\n",
                      FEW_DESCRIPTORS, share_while(flash_all_quietly));
        crowd_signal(&crowd, SIGSTOP); /* those that were turned away ask again at once otherwise */
        share = share_while(pass_a_second);
        crowd_signal(&crowd, SIGCONT);
        print_message(
                "%u descriptors, all taken: espdfud takes %.1f %% of a processor at rest, and has %u lines "
                "in the journal\n",
                FEW_DESCRIPTORS, share, n_said("is not taken") + n_said("boards wait until"));
        assert_true(share < 10); /* it waits, and does not try without end */
        expect_ctl(&line, "", (const char *[]){ "status", NULL }); /* root is not locked out */
        assert_true(n_said("is not taken") <= 2 && n_said("boards wait until") <= 2);
        crowd_leave(&crowd);
        expect_told(&crowd, "grab",
                    SAID "Busy\",\"parameters\":{\"message\":\"the descriptors that are left");
        crowd = (struct crowd){ .line = &line };
        crowd_add(&crowd, 0, "status", 1, 0); /* there is room again */
        flash_all();
        crowd_leave(&crowd);
        expect_answered(&crowd, "status");
}

static void test_boards_wait_until_there_is_a_process_for_an_engine(void **state)
{
        g_autofree char *mark = line_path(&line, "no-process");

        (void)state;
        assert_true(g_file_set_contents(mark, "", 0, NULL));
        plug_with(&line, "1-4.1", &(struct rom_config){ .chip = ROM_S2, .starts_in_dfu_mode = true });
        expect_log(&line, "cannot be started: Resource temporarily unavailable: boards wait until it can");
        expect_message(&line, "1-4.1", "cannot be started: Resource temporarily unavailable");
        expect_phase(&line, "1-4.1", PHASE_QUEUED);
        assert_int_equal(unlink(mark), 0);
        expect_phase(&line, "1-4.1", PHASE_FLASHED);
        assert_int_equal(n_said("boards wait until"), 1);
        expect_ctl(&line, "TRY\n1\n",
                   (const char *[]){ "history", "--output", "try", NULL }); /* the first attempt */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                        test_a_hundred_boards_are_flashed_beside_64_clients_as_without, begin, end),
                cmocka_unit_test_setup_teardown(
                        test_memory_stays_within_its_bound_however_much_clients_leave_unread, begin, end),
                cmocka_unit_test_setup_teardown(
                        test_memory_stays_within_its_bound_whoever_asks_why_of_a_hundred_boards_and_all_policies,
                        begin_with_many_policies, end),
                cmocka_unit_test_setup_teardown(test_clients_that_take_all_descriptors_leave_those_of_boards,
                                                begin, end),
                cmocka_unit_test_setup_teardown(test_boards_wait_until_there_is_a_process_for_an_engine,
                                                begin_without_processes, end),
        };

        cmocka_set_test_filter(getenv("ESPDFU_LOAD_STORY"));
        return cmocka_run_group_tests(tests, NULL, NULL);
}
