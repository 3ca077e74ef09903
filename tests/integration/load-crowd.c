/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/integration/load.h"

#include <signal.h>

void crowd_add(struct crowd *crowd, unsigned user, const char *role, unsigned n, uint64_t bytes)
{
        g_autofree char *socket = line_path(crowd->line, "socket"), *uid = g_strdup_printf("%u", USER(user)),
                        *text = g_strdup_printf("%" G_GUINT64_FORMAT, bytes);
        const char *const argv[] = { LOAD_CLIENT, socket, uid, role, text, NULL };
        const struct bed_spawn_options options = { .outside = true };

        for (unsigned i = 0; i < n; i++) {
                assert_true(crowd->n < CROWD_MAX);
                crowd->clients[crowd->n++] = (struct client){
                        .role = role, .user = user, .child = bed_spawn(crowd->line->bed, argv, &options)
                };
        }
}

void crowd_signal(struct crowd *crowd, int number)
{
        for (size_t i = 0; i < crowd->n; i++)
                bed_kill(crowd->clients[i].child, number);
}

void crowd_leave(struct crowd *crowd)
{
        crowd_signal(crowd, SIGTERM);
        for (size_t i = 0; i < crowd->n; i++)
                if (bed_wait_child(crowd->clients[i].child, PATIENCE) != 0)
                        fail_msg("a client in the role %s did not end well: %s", crowd->clients[i].role,
                                 bed_output(crowd->clients[i].child));
}

/* Calls visit for each line of those in a role (NULL: all) that begins with a word, with what is behind it. */
static void each_line(const struct crowd *crowd, const char *role, const char *word,
                      void (*visit)(void *userdata, const struct client *client, const char *rest),
                      void *userdata)
{
        for (size_t i = 0; i < crowd->n; i++) {
                const struct client *client = &crowd->clients[i];
                g_auto(GStrv) lines = g_strsplit(bed_output(client->child), "\n", -1);

                if (role && !streq(role, client->role))
                        continue;
                for (char **line = lines; *line; line++)
                        if (g_str_has_prefix(*line, word))
                                visit(userdata, client, *line + strlen(word));
        }
}

static void add_number(void *userdata, const struct client *client, const char *rest)
{
        (void)client;
        *(uint64_t *)userdata += strtoull(rest, NULL, 10);
}

uint64_t crowd_sum(const struct crowd *crowd, const char *role, const char *word)
{
        g_autofree char *begin = g_strdup_printf("%s ", word);
        uint64_t sum = 0;

        each_line(crowd, role, begin, add_number, &sum);
        return sum;
}

struct seen {
        const struct client *last;
        unsigned n;
};

static void count_client(void *userdata, const struct client *client, const char *rest)
{
        struct seen *seen = userdata;

        (void)rest;
        seen->n += seen->last != client;
        seen->last = client;
}

unsigned crowd_said(const struct crowd *crowd, const char *role, const char *begin)
{
        struct seen seen = { 0 };

        each_line(crowd, role, begin, count_client, &seen);
        return seen.n;
}

static void add_sample(void *userdata, const struct client *client, const char *rest)
{
        double msec = (double)strtoull(rest, NULL, 10) / 1000;

        (void)client;
        g_array_append_val((GArray *)userdata, msec);
}

static gint by_size(gconstpointer a, gconstpointer b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

double crowd_latency(const struct crowd *crowd, const char *role, double quantile)
{
        g_autoptr(GArray) samples = g_array_new(FALSE, FALSE, sizeof(double));

        each_line(crowd, role, "latency ", add_sample, samples);
        if (samples->len == 0)
                fail_msg("no client in the role %s was ever answered", role);
        g_array_sort(samples, by_size);
        return g_array_index(samples, double, (guint)((samples->len - 1) * quantile));
}

static unsigned n_in_role(const struct crowd *crowd, const char *role)
{
        unsigned n = 0;

        for (size_t i = 0; i < crowd->n; i++)
                n += streq(crowd->clients[i].role, role);
        return n;
}

static bool is_first_of_role(const struct crowd *crowd, size_t i)
{
        for (size_t j = 0; j < i; j++)
                if (streq(crowd->clients[j].role, crowd->clients[i].role))
                        return false;
        return true;
}

void crowd_print(const struct crowd *crowd)
{
        for (size_t i = 0; i < crowd->n; i++) {
                const char *role = crowd->clients[i].role;

                if (is_first_of_role(crowd, i))
                        print_message("%2u %-9s  %6" G_GUINT64_FORMAT " answers, %5" G_GUINT64_FORMAT
                                      " times disconnected, %7.2f MiB sent\n",
                                      n_in_role(crowd, role), role, crowd_sum(crowd, role, "answers"),
                                      crowd_sum(crowd, role, "closed"),
                                      (double)crowd_sum(crowd, role, "sent") / MIB);
        }
}
