/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs that open a device node, and how the bed hears that they are gone. */
#include "tests/rom/bed-internal.h"

#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CLIENT_KEY "espdfu-client"

/*
 * What a dead program still sent finds no client. The peer of one that died in an ioctl is never closed by umockdev, and
 * may not be destroyed open: it is kept to the end.
 */
static void peer_release(UMockdevIoctlClient *peer)
{
        static GPtrArray *kept;

        g_object_set_data(G_OBJECT(peer), CLIENT_KEY, NULL);
        if (!umockdev_ioctl_client_get_connected(peer)) {
                g_object_unref(peer);
                return;
        }
        if (!kept)
                kept = g_ptr_array_new();
        g_ptr_array_add(kept, peer);
}

void client_free(gpointer data)
{
        struct client *client = data;

        g_queue_clear_full(&client->done, transfer_free);
        if (client->pidfd >= 0)
                close(client->pidfd);
        peer_release(client->peer);
        g_free(client);
}

void client_gone(struct client *client)
{
        struct node *node = client->node;
        struct bed_board *board = node->board;

        /* Each client is one opener's, also where that is not known yet, or there would be the wrong one for the next. */
        if (!client->pid_taken && !g_queue_pop_head(&node->openers))
                node->left_unknown++;
        for (size_t i = 0; i < BED_INTERFACES; i++)
                if (node->claimed[i] == client)
                        node->claimed[i] = NULL;
        client_drop_transfers(client);
        g_ptr_array_remove(node->clients, client);
        g_cond_signal(&board->bed->changed);
        g_main_context_wakeup(NULL);
}

/* Tells each node who opened it, in the order in which they did: what the programs' preloaded library wrote down. */
static void take_openers(struct bed *bed)
{
        int pid;
        char devnode[32];

        if (!bed->openers) {
                g_autofree char *path = g_strdup_printf("%s/openers", bed->root);

                bed->openers = fopen(path, "re");
        }
        if (!bed->openers)
                return;
        clearerr(bed->openers); /* it grows */
        while (fscanf(bed->openers, "%d %31s\n", &pid, devnode) == 2)
                for (size_t i = bed->nodes->len; i > 0; i--) {
                        struct node *node = g_ptr_array_index(bed->nodes, i - 1);

                        if (!streq(node->devnode, devnode))
                                continue;
                        if (node->left_unknown > 0)
                                node->left_unknown--;
                        else
                                g_queue_push_tail(&node->openers, GINT_TO_POINTER(pid));
                        break;
                }
}

/*
 * umockdev does not tell that a program is gone when it dies in an ioctl, so the process itself is watched. One that
 * closes the node in peace is seen by its connection.
 */
static bool client_is_gone(struct client *client)
{
        struct pollfd poll_fd = { .events = POLLIN };

        if (!umockdev_ioctl_client_get_connected(client->peer))
                return true;
        if (!client->pid_taken && !g_queue_is_empty(&client->node->openers)) {
                client->pid_taken = true;
                client->pidfd = (int)syscall(SYS_pidfd_open,
                                             GPOINTER_TO_INT(g_queue_pop_head(&client->node->openers)), 0);
                if (client->pidfd < 0 && errno == ESRCH)
                        return true;
        }
        poll_fd.fd = client->pidfd;
        return client->pidfd >= 0 && poll(&poll_fd, 1, 0) > 0;
}

void node_forget_closed(struct node *node, const struct client *but)
{
        if (node->clients->len > 0)
                take_openers(node->board->bed);
        for (size_t i = 0;
             i < node->clients->len;) { /* in the order in which they came, for take_openers() */
                struct client *client = g_ptr_array_index(node->clients, i);

                if (client != but && client_is_gone(client))
                        client_gone(client);
                else
                        i++;
        }
}

static void on_open(UMockdevIoctlBase *handler, UMockdevIoctlClient *peer, gpointer userdata)
{
        struct node *node = userdata;
        struct client *client;

        (void)handler;
        bed_lock(node->board->bed);
        if (node->firsts.open_usec == 0)
                node->firsts.open_usec = bed_now();
        client = g_new0(struct client, 1);
        client->node = node;
        client->peer = g_object_ref(peer);
        client->found_nothing = true;
        client->pidfd = -1;
        g_queue_init(&client->done);
        g_object_set_data(G_OBJECT(peer), CLIENT_KEY, client);
        g_ptr_array_add(node->clients, client);
        bed_unlock(node->board->bed);
}

static gboolean on_ioctl(UMockdevIoctlBase *handler, UMockdevIoctlClient *peer, gpointer userdata)
{
        struct node *node = userdata;
        struct client *client;

        (void)handler;
        bed_lock(node->board->bed);
        client = g_object_get_data(G_OBJECT(peer), CLIENT_KEY);
        if (client)
                client_ioctl(client);
        bed_unlock(node->board->bed);
        return TRUE;
}

void node_attach_ioctl(struct bed *bed, struct node *node)
{
        g_autoptr(GError) error = NULL;

        node->handler = umockdev_ioctl_base_new();
        g_signal_connect(node->handler, "client-connected", G_CALLBACK(on_open), node);
        g_signal_connect(node->handler, "handle-ioctl", G_CALLBACK(on_ioctl), node);
        if (!umockdev_testbed_attach_ioctl(bed->testbed, node->devnode, node->handler, &error))
                g_error("bed: %s: %s", node->devnode, error->message);
        node->attached = true;
}
