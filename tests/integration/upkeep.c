/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/integration/upkeep.h"

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
static bool is_station_socket(const struct line *line, const char *target, const char *sockets)
{
        g_autofree char *inode = g_strdup_printf(" %llu ", strtoull(target + strlen("socket:["), NULL, 10));
        g_autofree char *path = g_strdup_printf("%s/socket\n", line->dir);
        const char *at = strstr(sockets, inode);

        return at && g_str_has_prefix(at + strlen(inode), path);
}

struct open_files {
        const struct line *line;
        const char *sockets; /* /proc/net/unix */
        unsigned n_ledger, n_watches, n_sockets;
};

/* What a descriptor is called; NULL where one of its kind is no more than there may be. Takes target. */
static char *describe_descriptor(struct open_files *files, char *target)
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
        if (is_station_socket(files->line, target, files->sockets))
                return g_strdup("socket of the station");
        return ++files->n_sockets <= OTHER_SOCKETS_MAX ? NULL : g_strdup("socket");
}

char *upkeep_descriptors(struct line *line)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/fd", (int)bed_pid(line->daemon)), *sockets = NULL;
        g_autoptr(GPtrArray) open = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        struct open_files files = { .line = line };
        const char *name;

        assert_non_null(dir);
        assert_true(g_file_get_contents("/proc/net/unix", &sockets, NULL, NULL));
        files.sockets = sockets;
        while ((name = g_dir_read_name(dir))) {
                g_autofree char *link = g_build_filename(path, name, NULL);
                char *target = g_file_read_link(link, NULL);
                char *text = target ? describe_descriptor(&files, target) : NULL;

                if (text)
                        g_ptr_array_add(open, text);
        }
        g_ptr_array_sort(open, by_text);
        g_ptr_array_add(open, NULL);
        return g_strjoinv("\n", (char **)open->pdata);
}

unsigned upkeep_count_descriptors(struct line *line)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/fd", (int)bed_pid(line->daemon));
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        unsigned n = 0;

        while (dir && g_dir_read_name(dir))
                n++;
        return n;
}

struct wanted {
        struct line *line;
        const char *descriptors;
};

static bool has_descriptors(void *userdata)
{
        const struct wanted *wanted = userdata;
        g_autofree char *now = upkeep_descriptors(wanted->line);

        return streq(now, wanted->descriptors);
}

void upkeep_expect_descriptors(struct line *line, const char *before)
{
        struct wanted wanted = { .line = line, .descriptors = before };
        g_autofree char *now = NULL;

        if (bed_wait(line->bed, has_descriptors, &wanted, PATIENCE))
                return;
        now = upkeep_descriptors(line);
        g_printerr("in the morning the daemon had open:\n%s\nin the evening:\n%s\n", before, now);
        fail_msg("the daemon has not closed all that it opened");
}

void upkeep_expect_no_engine(struct line *line)
{
        g_autofree char *engines = children_of(bed_pid(line->daemon));

        assert_string_equal(engines, "");
}
