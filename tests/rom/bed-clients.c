/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs that open a device node, and how the bed hears that they are gone. */
#include "tests/rom/bed-internal.h"

#include <sys/inotify.h>
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
        peer_release(client->peer);
        g_free(client);
}

/* The program closed the node, or died: its transfers are taken back, its claims released. */
static void client_gone(struct client *client)
{
        struct node *node = client->node;
        struct bed_board *board = node->board;

        for (size_t i = 0; i < BED_INTERFACES; i++)
                if (node->claimed[i] == client)
                        node->claimed[i] = NULL;
        client_drop_transfers(client);
        g_ptr_array_remove(node->clients, client);
        g_cond_signal(&board->bed->changed);
        g_main_context_wakeup(NULL);
}

/*
 * umockdev does not tell that a program is gone when it dies in an ioctl. The kernel does: when nobody has the node open,
 * nobody is there. A program that closes the node in peace is seen by its connection.
 */
void node_forget_closed(struct node *node)
{
        if (node->clients->len == 0)
                return;
        bed_take_opens(node->board->bed);
        for (size_t i = node->clients->len; i > 0; i--) {
                struct client *client = g_ptr_array_index(node->clients, i - 1);

                if (node->opens == 0 || !umockdev_ioctl_client_get_connected(client->peer))
                        client_gone(client);
        }
}

void bed_take_opens(struct bed *bed)
{
        _Alignas(struct inotify_event) char buffer[4096];
        ssize_t n;

        while ((n = read(bed->inotify_fd, buffer, sizeof(buffer))) > 0)
                for (const char *p = buffer; p < buffer + n;) {
                        const struct inotify_event *event = (const void *)p;

                        p += sizeof(*event) + event->len;
                        for (size_t i = 0; i < bed->nodes->len; i++) {
                                struct node *node = g_ptr_array_index(bed->nodes, i);

                                if (node->watch != event->wd)
                                        continue;
                                node->opens += (event->mask & IN_OPEN) ? 1 : 0;
                                node->opens -= (event->mask & IN_CLOSE) ? 1 : 0;
                        }
                }
}

static void on_open(UMockdevIoctlBase *handler, UMockdevIoctlClient *peer, gpointer userdata)
{
        struct node *node = userdata;
        struct client *client = g_new0(struct client, 1);

        (void)handler;
        client->node = node;
        client->peer = g_object_ref(peer);
        client->found_nothing = true;
        g_queue_init(&client->done);
        g_object_set_data(G_OBJECT(peer), CLIENT_KEY, client);
        bed_lock(node->board->bed);
        g_ptr_array_add(node->clients, client);
        bed_unlock(node->board->bed);
}

static gboolean on_ioctl(UMockdevIoctlBase *handler, UMockdevIoctlClient *peer, gpointer userdata)
{
        struct node *node = userdata;
        struct client *client;

        (void)handler;
        bed_lock(node->board->bed);
        node_forget_closed(node);
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
