/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bus: whose transfer has its turn, when it is over, and who hears of it. */
#include <sys/ioctl.h>

#include <linux/usbdevice_fs.h>

#include "tests/rom/bed-internal.h"

#define REAPED_IN_A_ROW_MAX 16
#define DIRECTION_IN        0x80

/* ---- transfers ------------------------------------------------------------------- */

void transfer_free(gpointer data)
{
        struct transfer *t = data;

        g_clear_object(&t->urb);
        g_clear_object(&t->data);
        g_free(t->in);
        g_free(t);
}

/* Into the program's memory, which happens when its ioctl is completed. */
static void transfer_write_back(struct transfer *t)
{
        if (t->in)
                memcpy(t->data->data + t->data_offset, t->in, t->len);
        if (!t->is_ioctl) {
                struct usbdevfs_urb *urb = (void *)t->urb->data;

                urb->status = t->status;
                urb->actual_length = (int)t->len;
        }
}

void transfer_finish(struct transfer *t, int status)
{
        t->status = status;
        if (!t->is_ioctl) {
                g_queue_push_tail(&t->client->done, t);
                return;
        }
        transfer_write_back(t);
        umockdev_ioctl_client_complete(t->client->peer, status < 0 ? -1 : (glong)t->len, -status);
        transfer_free(t);
}

/* A transfer whose turn is over: what the model said comes true. */
static void turn_end(struct bed_board *board)
{
        const struct rom_reply *reply = &board->reply;
        struct transfer *t = g_steal_pointer(&board->turn);
        int status = reply->answer == ROM_ACK ? 0 : reply->answer == ROM_STALL ? -EPIPE : -EPROTO;

        board->active = false;
        board->free_usec = board->due_usec;
        if (t && status == 0) {
                t->len = reply->len;
                if ((t->setup.bmRequestType & DIRECTION_IN) && t->data)
                        t->in = g_memdup2(reply->data, sizeof(reply->data));
        }
        if (t)
                transfer_finish(t, status);
        if (reply->answer == ROM_VANISH)
                board_leave(board, reply->away_usec);
}

/* Nobody waits for it any more. The board is busy with it to the end, unless it would never answer. */
static void turn_abandon(struct bed_board *board)
{
        board->turn = NULL;
        if (board->reply.answer == ROM_SILENCE) {
                board->active = false;
                board->free_usec = bed_now();
        }
}

/* Takes a transfer from the bus. Returns whether it was there. */
bool transfer_take_back(struct bed_board *board, struct transfer *t)
{
        if (board->active && board->turn == t) {
                turn_abandon(board);
                return true;
        }
        return g_queue_remove(&board->queue, t);
}

/* What the request that was carried out just now did to the model's downloads. */
static void note_downloads(struct bed_board *board, unsigned n_before, unsigned completed_before)
{
        const struct rom_counters *now = rom_counters(board->rom);
        struct bed_download download = { .begin_usec = (uint64_t)g_get_real_time() };

        if (now->archives > n_before)
                g_array_append_val(board->downloads, download);
        if (now->completed > completed_before)
                g_array_index(board->downloads, struct bed_download, board->downloads->len - 1)
                        .end_usec = (uint64_t)g_get_real_time();
}

static void turn_begin(struct bed_board *board)
{
        unsigned n = rom_counters(board->rom)->archives, completed = rom_counters(board->rom)->completed;
        struct transfer *t = g_queue_pop_head(&board->queue);
        uint64_t start = MAX(board->free_usec, t->submitted_usec);

        board->active = true;
        board->turn = t;
        rom_control(board->rom, &t->setup, t->data ? t->data->data + t->data_offset : NULL, &board->reply);
        note_downloads(board, n, completed);
        board->due_usec = board->reply.answer == ROM_SILENCE ? USEC_INFINITY
                                                             : start + board->reply.delay_usec;
}

static uint64_t next_turn_usec(const struct bed_board *board)
{
        const struct transfer *t = g_queue_peek_head((GQueue *)&board->queue);

        return t ? MAX(board->free_usec, t->submitted_usec) : USEC_INFINITY;
}

/* Ioctls that wait have a time limit of their own; URBs have none. */
static void expire_ioctls(struct bed_board *board, uint64_t now_usec)
{
        if (board->turn && board->turn->deadline_usec <= now_usec && board->due_usec > now_usec) {
                struct transfer *t = board->turn;

                turn_abandon(board);
                transfer_finish(t, -ETIMEDOUT);
        }
        for (GList *l = board->queue.head, *next = NULL; l; l = next) {
                struct transfer *t = l->data;

                next = l->next;
                if (t->deadline_usec > now_usec)
                        continue;
                g_queue_delete_link(&board->queue, l);
                transfer_finish(t, -ETIMEDOUT);
        }
}

/* ---- reaping --------------------------------------------------------------------- */

static void reap_complete(struct client *client, int error)
{
        client->reaping = false;
        umockdev_ioctl_client_complete(client->peer, error ? -1 : 0, error);
}

static void reap_one(struct client *client)
{
        g_autoptr(UMockdevIoctlData) arg = umockdev_ioctl_data_resolve(
                umockdev_ioctl_client_get_arg(client->peer), 0, sizeof(void *), NULL);
        struct transfer *t;

        if (!arg) { /* the program was asked where it wants the address of the URB, and is dead */
                client_gone(client);
                return;
        }
        t = g_queue_pop_head(&client->done);
        client->found_nothing = false;
        client->reaped_in_a_row++;
        transfer_write_back(t);
        umockdev_ioctl_data_set_ptr(arg, 0, t->urb);
        reap_complete(client, 0);
        transfer_free(t);
}

static void reap_none(struct client *client)
{
        client->found_nothing = true;
        client->reaped_in_a_row = 0;
        reap_complete(client, EAGAIN);
}

/* Answers a program that waits in a reap, if there is something to say by now. It may be gone after this. */
static void client_try_reap(struct client *client, uint64_t now_usec)
{
        bool nothing = g_queue_is_empty(&client->done);

        if (!client->reaping)
                return;
        if (!nothing && (client->blocking || client->reaped_in_a_row < REAPED_IN_A_ROW_MAX))
                reap_one(client);
        else if (nothing && client->node->gone)
                reap_complete(client, ENODEV);
        else if (!nothing || (!client->blocking && now_usec >= client->reap_until))
                reap_none(client);
}

static void node_try_reap(struct node *node, uint64_t now_usec)
{
        for (size_t i = node->clients->len; i > 0; i--)
                client_try_reap(g_ptr_array_index(node->clients, i - 1), now_usec);
}

/* A reap is held only where a program begins to wait: behind one that found something it would keep it from its loop. */
void client_begin_reap(struct client *client, bool blocking)
{
        client->reaping = true;
        client->blocking = blocking;
        client->reap_until = client->found_nothing ? bed_now() + client->node->board->bed->hold_usec : 0;
        client_try_reap(client, bed_now());
}

/* ---- the bus --------------------------------------------------------------------- */

void board_run(struct bed_board *board, uint64_t now_usec)
{
        struct node *node = board->node;

        while (!node->gone) {
                if (board->active && board->due_usec <= now_usec)
                        turn_end(board);
                else if (!board->active && next_turn_usec(board) <= now_usec)
                        turn_begin(board);
                else
                        break;
        }
        expire_ioctls(board, now_usec);
        node_try_reap(node, now_usec);
}

uint64_t board_next_usec(const struct bed_board *board)
{
        uint64_t next = board->active ? board->due_usec : next_turn_usec(board);

        if (board->turn)
                next = MIN(next, board->turn->deadline_usec);
        for (GList *l = board->queue.head; l; l = l->next)
                next = MIN(next, ((struct transfer *)l->data)->deadline_usec);
        for (size_t i = 0; i < board->node->clients->len; i++) {
                const struct client *client = g_ptr_array_index(board->node->clients, i);

                if (client->reaping && !client->blocking)
                        next = MIN(next, client->reap_until);
        }
        return next;
}

void node_fail_transfers(struct node *node)
{
        struct bed_board *board = node->board;
        struct transfer *t = g_steal_pointer(&board->turn);

        if (t)
                transfer_finish(t, t->is_ioctl ? -ENODEV : -EPROTO);
        board->active = false;
        while ((t = g_queue_pop_head(&board->queue)))
                transfer_finish(t, t->is_ioctl ? -ENODEV : -ESHUTDOWN);
        memset(node->claimed, 0, sizeof(node->claimed));
        node_try_reap(node, bed_now());
}

void transfer_submit(struct transfer *t)
{
        struct bed_board *board = t->client->node->board;

        t->submitted_usec = bed_now();
        if (board->node->firsts.transfer_usec == 0)
                board->node->firsts.transfer_usec = t->submitted_usec;
        g_queue_push_tail(&board->queue, t);
        board_run(board, t->submitted_usec);
        g_cond_signal(&board->bed->changed);
}

void client_drop_transfers(struct client *client)
{
        struct bed_board *board = client->node->board;

        if (board->turn && board->turn->client == client) {
                transfer_free(board->turn);
                turn_abandon(board);
        }
        for (GList *l = board->queue.head, *next = NULL; l; l = next) {
                struct transfer *t = l->data;

                next = l->next;
                if (t->client != client)
                        continue;
                g_queue_delete_link(&board->queue, l);
                transfer_free(t);
        }
}
