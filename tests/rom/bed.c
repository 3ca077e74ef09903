/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bed: boards that come and go, and the thread that is the bus. */
#include "tests/rom/bed-internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HOLD_USEC      5000
#define LOOK_USEC      10000               /* between looks whether a program has died */
#define FORGET_USEC    (10 * USEC_PER_SEC) /* in which a program that had a node open has closed it */
#define GOODBYE_USEC   (5 * USEC_PER_SEC)
#define CONDITION_MSEC 5 /* a condition is looked at this often at least */
#define UNDER_SLOWER   5 /* times that a program may take under what ESPDFU_BED_UNDER names */

uint64_t bed_now(void)
{
        return (uint64_t)g_get_monotonic_time();
}

/* Whether this thread has it. */
static _Thread_local bool has_lock;

void bed_lock(struct bed *bed)
{
        g_mutex_lock(&bed->lock);
        has_lock = true;
}

void bed_unlock(struct bed *bed)
{
        has_lock = false;
        g_mutex_unlock(&bed->lock);
}

/* An assertion that failed between the two took the test to its end past bed_unlock(). */
static void let_go(struct bed *bed)
{
        if (has_lock)
                bed_unlock(bed);
}

/* ---- boards come and go --------------------------------------------------------- */

unsigned bed_take_devnum(struct bed *bed, unsigned bus)
{
        unsigned devnum = bed->last_devnum[bus];

        for (unsigned i = 0; i < BED_DEVNUM_MAX; i++) {
                devnum = devnum % BED_DEVNUM_MAX + 1;
                if (bed->devnum_taken[bus][devnum])
                        continue;
                bed->devnum_taken[bus][devnum] = true;
                bed->last_devnum[bus] = devnum;
                return devnum;
        }
        g_error("bed: bus %u is full: expected at most %d devices", bus, BED_DEVNUM_MAX);
}

/*
 * A node that is gone keeps its handler until its number comes round again: a program that opened it in that moment has
 * to find somebody who says ENODEV.
 */
static void forget_node_of_old(struct bed *bed, const char *devnode)
{
        for (size_t i = 0; i < bed->nodes->len; i++) {
                struct node *old = g_ptr_array_index(bed->nodes, i);

                if (!old->attached || !streq(old->devnode, devnode))
                        continue;
                umockdev_testbed_detach_ioctl(bed->testbed, devnode, NULL);
                old->attached = false;
        }
}

/* A new stay on the bus. */
static void board_arrive(struct bed_board *board)
{
        struct bed *bed = board->bed;
        struct node *node = g_new0(struct node, 1);

        rom_attach(board->rom);
        rom_set_configured(board->rom);
        board->return_usec = USEC_INFINITY;
        board->free_usec = 0;
        node->board = board;
        node->bus = (unsigned)strtoul(board->port, NULL, 10);
        if (node->bus == 0 || node->bus > BED_BUSES_MAX)
                g_error("bed: port %s is on bus %u, expected 1 to %d", board->port, node->bus, BED_BUSES_MAX);
        bed_add_hubs(bed, board->port);
        node->devnum = bed_take_devnum(bed, node->bus);
        node->usec_initialized = bed_now();
        node->clients = g_ptr_array_new_with_free_func(client_free);
        snprintf(node->devnode, sizeof(node->devnode), "/dev/bus/usb/%03u/%03u", node->bus, node->devnum);
        port_syspath(board->port, node->syspath, sizeof(node->syspath));
        forget_node_of_old(bed, node->devnode);
        g_ptr_array_add(bed->nodes, node);
        board->node = node;
        node_attach_ioctl(bed, node);
        node_add(bed, node);
        node_send_uevent(bed, node, "add");
        node_send_uevent(bed, node, "bind");
        g_main_context_wakeup(NULL);
}

void board_leave(struct bed_board *board, uint64_t away_usec)
{
        struct bed *bed = board->bed;
        struct node *node = board->node;

        board->return_usec = away_usec == USEC_INFINITY ? USEC_INFINITY : bed_now() + away_usec;
        if (node->gone)
                return;
        node->gone = true;
        node_fail_transfers(node);
        node_remove(bed, node);
        bed->devnum_taken[node->bus][node->devnum] = false;
        g_cond_signal(&bed->changed);
        g_main_context_wakeup(NULL);
}

static void *bus_main(void *userdata)
{
        struct bed *bed = userdata;

        bed_lock(bed);
        while (!bed->ending) {
                uint64_t next = USEC_INFINITY;

                for (size_t i = 0; i < bed->boards->len; i++) {
                        struct bed_board *board = g_ptr_array_index(bed->boards, i);

                        if (board->node->gone && board->return_usec <= bed_now())
                                board_arrive(board);
                        board_run(board, bed_now());
                        next = MIN(next, board->node->gone ? board->return_usec : board_next_usec(board));
                }
                for (size_t i = 0; i < bed->nodes->len; i++) {
                        struct node *node = g_ptr_array_index(bed->nodes, i);

                        node_forget_closed(node, NULL);
                        if (node->clients->len > 0)
                                next = MIN(next, bed_now() + LOOK_USEC);
                }
                if (next == USEC_INFINITY)
                        g_cond_wait(&bed->changed, &bed->lock);
                else if (next > bed_now())
                        g_cond_wait_until(&bed->changed, &bed->lock, (gint64)next);
        }
        bed_unlock(bed);
        return NULL;
}

/* ---- the bed --------------------------------------------------------------------- */

static void node_free(gpointer data)
{
        struct node *node = data;

        g_ptr_array_unref(node->clients);
        g_object_unref(node->handler);
        g_queue_clear(&node->openers);
        free(node->properties);
        free(node->tags);
        free(node);
}

static void board_free(gpointer data)
{
        struct bed_board *board = data;

        rom_free(board->rom);
        g_array_free(board->downloads, TRUE);
        g_hash_table_unref(board->properties);
        g_queue_clear(&board->queue);
        free(board);
}

/* umockdev makes hundreds of small files where GLib's temporary directory is: in memory, that is 40 times as fast. */
static void prefer_memory(void)
{
        if (g_getenv("TMPDIR") || access("/dev/shm", W_OK) < 0)
                return;
        g_setenv("TMPDIR", "/dev/shm", TRUE);
        g_get_tmp_dir(); /* which remembers it */
        g_unsetenv("TMPDIR");
}

struct bed *bed_new(void)
{
        struct bed *bed = g_new0(struct bed, 1);

        prefer_memory();
        bed->testbed = umockdev_testbed_new();
        bed->root = umockdev_testbed_get_root_dir(bed->testbed);
        g_mutex_init(&bed->lock);
        g_cond_init(&bed->changed);
        bed->boards = g_ptr_array_new_with_free_func(board_free);
        bed->nodes = g_ptr_array_new_with_free_func(node_free);
        bed->children = g_ptr_array_new_with_free_func(child_free);
        bed->hold_usec = HOLD_USEC;
        bed_start_udev(bed);
        bed->bus = g_thread_new("bus", bus_main, bed);
        return bed;
}

/* The programs are dead by now, but umockdev's worker has to hear of it before it may end. */
static bool nobody_has_a_node_open(void *userdata)
{
        struct bed *bed = userdata;

        for (size_t i = 0; i < bed->nodes->len; i++) {
                struct node *node = g_ptr_array_index(bed->nodes, i);

                node_forget_closed(node, NULL);
                if (node->clients->len > 0)
                        return false;
        }
        return true;
}

struct bed *bed_free(struct bed *bed)
{
        if (!bed)
                return NULL;
        let_go(bed);
        g_ptr_array_unref(bed->children);
        bed->children = NULL;
        for (size_t i = 0; i < bed->boards->len; i++)
                bed_pull(g_ptr_array_index(bed->boards, i));
        bed_wait(bed, nobody_has_a_node_open, bed, GOODBYE_USEC);
        bed_lock(bed);
        bed->ending = true;
        g_cond_signal(&bed->changed);
        bed_unlock(bed);
        g_thread_join(bed->bus);
        bed_stop_udev(bed);
        g_object_unref(bed->testbed);
        g_ptr_array_unref(bed->nodes);
        g_ptr_array_unref(bed->boards);
        g_free(bed->root);
        if (bed->openers)
                fclose(bed->openers);
        g_mutex_clear(&bed->lock);
        g_cond_clear(&bed->changed);
        g_free(bed);
        return NULL;
}

/* ---- the test's hands ------------------------------------------------------------- */

struct bed_board *bed_plug(struct bed *bed, const char *port, const struct rom_config *config)
{
        struct bed_board *board = g_new0(struct bed_board, 1);

        board->bed = bed;
        board->rom = rom_new(config);
        if (!board->rom)
                abort();
        board->properties = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        board->downloads = g_array_new(FALSE, FALSE, sizeof(struct bed_download));
        board->occupied = -1;
        g_strlcpy(board->port, port, sizeof(board->port));
        bed_lock(bed);
        g_ptr_array_add(bed->boards, board);
        board_arrive(board);
        g_cond_signal(&bed->changed);
        bed_unlock(bed);
        return board;
}

void bed_pull(struct bed_board *board)
{
        bed_lock(board->bed);
        rom_power_off(board->rom);
        board_leave(board, USEC_INFINITY);
        bed_unlock(board->bed);
}

void bed_replug(struct bed_board *board, const char *port)
{
        bed_lock(board->bed);
        g_assert(board->node->gone);
        if (port)
                g_strlcpy(board->port, port, sizeof(board->port));
        board_arrive(board);
        bed_unlock(board->bed);
}

/* No handler is there any more that umockdev might call for one of its nodes, nor a program that has one open. */
static bool is_out_of_use(const struct bed_board *board)
{
        const struct bed *bed = board->bed;

        for (size_t i = 0; i < bed->nodes->len; i++) {
                const struct node *node = g_ptr_array_index(bed->nodes, i);

                if (node->board == board && (node->attached || node->clients->len > 0))
                        return false;
        }
        return true;
}

static void give_back(struct bed_board *board)
{
        struct bed *bed = board->bed;

        for (size_t i = bed->nodes->len; i > 0; i--)
                if (((struct node *)g_ptr_array_index(bed->nodes, i - 1))->board == board)
                        g_ptr_array_remove_index(bed->nodes, i - 1);
        g_ptr_array_remove(bed->boards, board);
}

/* Each time that one is forgotten, those are given back that were forgotten long enough ago. */
void bed_forget(struct bed_board *board)
{
        struct bed *bed = board->bed;

        bed_lock(bed);
        g_assert(board->node->gone && board->return_usec == USEC_INFINITY);
        board->forgotten_usec = bed_now();
        for (size_t i = bed->boards->len; i > 0; i--) {
                struct bed_board *old = g_ptr_array_index(bed->boards, i - 1);

                if (old->forgotten_usec > 0 && bed_now() - old->forgotten_usec >= FORGET_USEC &&
                    is_out_of_use(old))
                        give_back(old);
        }
        bed_unlock(bed);
}

const struct bed_download *bed_downloads(const struct bed_board *board, size_t *ret_n)
{
        *ret_n = board->downloads->len;
        return (const struct bed_download *)(const void *)board->downloads->data;
}

bool bed_is_present(struct bed_board *board)
{
        bool present;

        bed_lock(board->bed);
        present = !board->node->gone;
        bed_unlock(board->bed);
        return present;
}

const char *bed_devnode(struct bed_board *board)
{
        return board->node->devnode;
}

struct bed_firsts bed_firsts(struct bed_board *board)
{
        struct bed_firsts firsts;

        bed_lock(board->bed);
        firsts = board->node->firsts;
        bed_unlock(board->bed);
        return firsts;
}

const char *bed_syspath(struct bed_board *board)
{
        return board->node->syspath;
}

void bed_set_property(struct bed_board *board, const char *name, const char *value)
{
        bed_lock(board->bed);
        g_hash_table_replace(board->properties, g_strdup(name), g_strdup(value ? value : ""));
        bed_unlock(board->bed);
}

char *bed_path(struct bed_board *board, const char *path)
{
        return g_strdup_printf("%s%s", board->bed->root, path);
}

void bed_set_attribute(struct bed_board *board, const char *name, const char *value)
{
        g_autofree char *inside = g_strdup_printf("%s/%s", bed_syspath(board), name);
        g_autofree char *path = bed_path(board, inside), *directory = g_path_get_dirname(path);

        if (g_mkdir_with_parents(directory, 0755) < 0 || !g_file_set_contents(path, value, -1, NULL))
                g_error("bed: %s: %m", path);
}

void bed_uevent(struct bed_board *board, const char *action)
{
        bed_lock(board->bed);
        node_send_uevent(board->bed, board->node, action);
        bed_unlock(board->bed);
}

struct rom *bed_rom(struct bed_board *board)
{
        return board->rom;
}

void bed_occupy(struct bed_board *board, int interface)
{
        bed_lock(board->bed);
        board->occupied = interface;
        bed_unlock(board->bed);
}

void bed_set_hold(struct bed *bed, uint64_t usec)
{
        bed_lock(bed);
        bed->hold_usec = usec;
        bed_unlock(bed);
}

/* ---- waiting ---------------------------------------------------------------------- */

static gboolean look_again(gpointer userdata)
{
        (void)userdata;
        return G_SOURCE_CONTINUE;
}

bool bed_wait(struct bed *bed, bool (*condition)(void *userdata), void *userdata, uint64_t limit_usec)
{
        uint64_t end = bed_now() + limit_usec * (g_getenv("ESPDFU_BED_UNDER") ? UNDER_SLOWER : 1);
        guint timer = g_timeout_add(CONDITION_MSEC, look_again, NULL);
        bool holds = false;

        let_go(bed);
        for (;;) {
                bed_lock(bed);
                holds = condition(userdata);
                bed_unlock(bed);
                if (holds || bed_now() >= end)
                        break;
                g_main_context_iteration(NULL, TRUE);
        }
        g_source_remove(timer);
        return holds;
}

bool bed_board_is_present(void *board)
{
        return !((struct bed_board *)board)->node->gone;
}

bool bed_board_is_gone(void *board)
{
        return ((struct bed_board *)board)->node->gone;
}

bool bed_board_is_claimed_again(void *board)
{
        return ((struct bed_board *)board)->node->n_claims > 1;
}

bool bed_board_is_waited_for(void *userdata)
{
        const struct bed_board *board = userdata;
        const struct node *node = board->node;

        for (size_t i = 0; i < node->clients->len; i++) {
                struct client *client = g_ptr_array_index(node->clients, i);
                bool in_ioctl = board->turn && board->turn->is_ioctl && board->turn->client == client;

                if (!in_ioctl &&
                    !(client->reaping && client->found_nothing && g_queue_is_empty(&client->done)))
                        return false;
        }
        return node->clients->len > 0;
}

bool bed_board_completed(void *board)
{
        return rom_counters(((struct bed_board *)board)->rom)->completed > 0;
}
