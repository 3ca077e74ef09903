/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's part, as usbfs has it: who holds an interface, and whose transfer has its turn on the bus. */
#include <sys/ioctl.h>

#include <linux/usbdevice_fs.h>

#include "tests/rom/bed-internal.h"

#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#define REAPED_IN_A_ROW_MAX 16
#define SETUP_SIZE          8
#define TRANSFER_DATA_MAX   4096 /* of a control transfer, as the kernel limits it */
#define DIRECTION_IN        0x80
#define RECIPIENT_MASK      0x1f
#define SPEED_FULL          2
#define CLIENT_KEY          "espdfu-client"

/* ---- transfers ------------------------------------------------------------------- */

static void transfer_free(gpointer data)
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

/* It is over: an URB is told when it is reaped, an ioctl at once. status is 0 or a negative errno. */
static void transfer_finish(struct transfer *t, int status)
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
static bool transfer_take_back(struct bed_board *board, struct transfer *t)
{
        if (board->active && board->turn == t) {
                turn_abandon(board);
                return true;
        }
        return g_queue_remove(&board->queue, t);
}

static void turn_begin(struct bed_board *board)
{
        struct transfer *t = g_queue_pop_head(&board->queue);
        uint64_t start = MAX(board->free_usec, t->submitted_usec);

        board->active = true;
        board->turn = t;
        rom_control(board->rom, &t->setup, t->data ? t->data->data + t->data_offset : NULL, &board->reply);
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
        struct transfer *t = g_queue_pop_head(&client->done);
        UMockdevIoctlData *arg = umockdev_ioctl_data_resolve(umockdev_ioctl_client_get_arg(client->peer), 0,
                                                             sizeof(void *), NULL);

        client->found_nothing = false;
        client->reaped_in_a_row++;
        transfer_write_back(t);
        umockdev_ioctl_data_set_ptr(arg, 0, t->urb);
        g_object_unref(arg);
        reap_complete(client, 0);
        transfer_free(t);
}

/* Answers a program that waits in a reap, if there is something to say by now. */
static void client_try_reap(struct client *client, uint64_t now_usec)
{
        bool nothing = g_queue_is_empty(&client->done);

        if (!client->reaping)
                return;
        if (!nothing && (client->blocking || client->reaped_in_a_row < REAPED_IN_A_ROW_MAX)) {
                reap_one(client);
                return;
        }
        if (nothing && client->node->gone) {
                reap_complete(client, ENODEV);
                return;
        }
        if (nothing && (client->blocking || now_usec < client->reap_until))
                return;
        client->found_nothing = true;
        client->reaped_in_a_row = 0;
        reap_complete(client, EAGAIN);
}

static void node_try_reap(struct node *node, uint64_t now_usec)
{
        for (size_t i = 0; i < node->clients->len; i++)
                client_try_reap(g_ptr_array_index(node->clients, i), now_usec);
}

/* A reap is held only where a program begins to wait: behind one that found something it would keep it from its loop. */
static void begin_reap(struct client *client, bool blocking)
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

/* ---- ioctls ------------------------------------------------------------------------ */

/* One of our handlers: completes the ioctl, now or later. */
typedef void (*ioctl_handler)(struct client *client, UMockdevIoctlData *arg);

static void done(struct client *client, int result)
{
        umockdev_ioctl_client_complete(client->peer, result < 0 ? -1 : result, result < 0 ? -result : 0);
}

static bool held_by_another(const struct client *client, unsigned interface)
{
        const struct client *holder;

        if (interface >= BED_INTERFACES)
                return false;
        holder = client->node->claimed[interface];
        return (holder && holder != client) || client->node->board->occupied == (int)interface;
}

static int claim(struct client *client, unsigned interface)
{
        if (interface >= BED_INTERFACES)
                return -EINVAL;
        if (held_by_another(client, interface))
                return -EBUSY;
        client->node->claimed[interface] = client;
        return 0;
}

/* cdc_acm holds the first two. */
static void do_claim(struct client *client, UMockdevIoctlData *arg)
{
        unsigned interface = *(unsigned *)(void *)arg->data;

        done(client, interface < 2 ? -EBUSY : claim(client, interface));
}

static void do_disconnect_claim(struct client *client, UMockdevIoctlData *arg)
{
        done(client, claim(client, ((struct usbdevfs_disconnect_claim *)(void *)arg->data)->interface));
}

static void do_release(struct client *client, UMockdevIoctlData *arg)
{
        unsigned interface = *(unsigned *)(void *)arg->data;

        if (interface >= BED_INTERFACES || client->node->claimed[interface] != client) {
                done(client, -EINVAL);
                return;
        }
        client->node->claimed[interface] = NULL;
        done(client, 0);
}

static void do_get_driver(struct client *client, UMockdevIoctlData *arg)
{
        struct usbdevfs_getdriver *request = (void *)arg->data;

        if (request->interface >= BED_INTERFACES ||
            (request->interface == 2 && !client->node->claimed[2] && client->node->board->occupied != 2)) {
                done(client, -ENODATA);
                return;
        }
        snprintf(request->driver, sizeof(request->driver), request->interface < 2 ? "cdc_acm" : "usbfs");
        done(client, 0);
}

static void do_get_capabilities(struct client *client, UMockdevIoctlData *arg)
{
        *(uint32_t *)(void *)arg->data = USBDEVFS_CAP_ZERO_PACKET | USBDEVFS_CAP_NO_PACKET_SIZE_LIM |
                                         USBDEVFS_CAP_REAP_AFTER_DISCONNECT;
        done(client, 0);
}

static void do_connect_info(struct client *client, UMockdevIoctlData *arg)
{
        struct usbdevfs_connectinfo *info = (void *)arg->data;

        info->devnum = client->node->devnum;
        info->slow = 0;
        done(client, 0);
}

static void do_get_speed(struct client *client, UMockdevIoctlData *arg)
{
        (void)arg;
        done(client, SPEED_FULL);
}

static void do_nothing(struct client *client, UMockdevIoctlData *arg)
{
        (void)arg;
        done(client, 0);
}

static void do_reset(struct client *client, UMockdevIoctlData *arg)
{
        struct bed_board *board = client->node->board;
        struct rom_reply reply;

        (void)arg;
        rom_bus_reset(board->rom, &reply);
        done(client, reply.answer == ROM_VANISH ? -ENODEV : 0);
        if (reply.answer == ROM_VANISH)
                board_leave(board, reply.away_usec);
}

static void submit(struct transfer *t)
{
        struct bed_board *board = t->client->node->board;

        t->submitted_usec = bed_now();
        g_queue_push_tail(&board->queue, t);
        board_run(board, t->submitted_usec);
        g_cond_signal(&board->bed->changed);
}

/* 0, or why the kernel would not let it out. */
static int check_control(const struct client *client, const struct rom_setup *setup, size_t room)
{
        if (setup->wLength > room || setup->wLength > TRANSFER_DATA_MAX)
                return -EINVAL;
        if ((setup->bmRequestType & RECIPIENT_MASK) == 1 && held_by_another(client, setup->wIndex & 0xff))
                return -EBUSY;
        return 0;
}

static void do_control(struct client *client, UMockdevIoctlData *arg)
{
        const struct usbdevfs_ctrltransfer *request = (void *)arg->data;
        struct transfer *t = g_new0(struct transfer, 1);
        int r;

        t->client = client;
        t->is_ioctl = true;
        t->deadline_usec = request->timeout ? bed_now() + request->timeout * USEC_PER_MSEC : USEC_INFINITY;
        t->setup = (struct rom_setup){ request->bRequestType, request->bRequest, request->wValue,
                                       request->wIndex, request->wLength };
        r = check_control(client, &t->setup, TRANSFER_DATA_MAX);
        if (r < 0) {
                transfer_free(t);
                done(client, r);
                return;
        }
        if (request->wLength > 0)
                t->data = umockdev_ioctl_data_resolve(arg, offsetof(struct usbdevfs_ctrltransfer, data),
                                                      request->wLength, NULL);
        submit(t);
}

static void do_set_interface(struct client *client, UMockdevIoctlData *arg)
{
        const struct usbdevfs_setinterface *request = (void *)arg->data;
        struct transfer *t;

        if (request->altsetting != 0 || request->interface >= BED_INTERFACES) {
                done(client, -EINVAL);
                return;
        }
        t = g_new0(struct transfer, 1);
        t->client = client;
        t->is_ioctl = true;
        t->deadline_usec = bed_now() + 5 * USEC_PER_SEC;
        t->setup = (struct rom_setup){ 0x01, 11, 0, (uint16_t)request->interface, 0 };
        submit(t);
}

static void do_submit_urb(struct client *client, UMockdevIoctlData *arg)
{
        const struct usbdevfs_urb *urb = (void *)arg->data;
        struct transfer *t;
        int r;

        if (urb->type != USBDEVFS_URB_TYPE_CONTROL || (urb->endpoint & 0x7f) != 0 ||
            urb->buffer_length < SETUP_SIZE || urb->buffer_length > SETUP_SIZE + TRANSFER_DATA_MAX) {
                done(client, -EINVAL);
                return;
        }
        t = g_new0(struct transfer, 1);
        t->client = client;
        t->deadline_usec = USEC_INFINITY;
        t->data_offset = SETUP_SIZE;
        t->urb = g_object_ref(arg);
        t->data = umockdev_ioctl_data_resolve(arg, offsetof(struct usbdevfs_urb, buffer),
                                              (gsize)urb->buffer_length, NULL);
        t->setup = t->data ? rom_setup_parse(t->data->data) : (struct rom_setup){ .wLength = UINT16_MAX };
        r = check_control(client, &t->setup, (size_t)urb->buffer_length - SETUP_SIZE);
        done(client, r);
        if (r < 0)
                transfer_free(t);
        else
                submit(t);
}

/* arg is the address of the URB in the program. */
static void do_discard_urb(struct client *client, UMockdevIoctlData *arg)
{
        struct bed_board *board = client->node->board;
        gulong address = *(gulong *)(void *)arg->data;
        struct transfer *t = NULL;

        if (board->turn && board->turn->urb && board->turn->urb->client_addr == address)
                t = board->turn;
        for (GList *l = board->queue.head; l && !t; l = l->next) {
                struct transfer *queued = l->data;

                if (queued->urb && queued->urb->client_addr == address && queued->client == client)
                        t = queued;
        }
        if (!t || t->client != client) {
                done(client, -EINVAL);
                return;
        }
        transfer_take_back(board, t);
        done(client, 0);
        transfer_finish(t, -ENOENT);
        g_cond_signal(&board->bed->changed);
}

static void do_reap(struct client *client, UMockdevIoctlData *arg)
{
        (void)arg;
        begin_reap(client, true);
}

static void do_reap_ndelay(struct client *client, UMockdevIoctlData *arg)
{
        (void)arg;
        begin_reap(client, false);
        g_cond_signal(&client->node->board->bed->changed);
}

static const struct {
        unsigned long request;
        size_t size; /* of what the argument points to; 0: it is not looked at */
        ioctl_handler handler;
        bool after_pull; /* allowed on a board that is gone */
} ioctls[] = {
        { USBDEVFS_SUBMITURB, sizeof(struct usbdevfs_urb), do_submit_urb, false },
        { USBDEVFS_REAPURBNDELAY, 0, do_reap_ndelay, true },
        { USBDEVFS_REAPURB, 0, do_reap, true },
        { USBDEVFS_DISCARDURB, 0, do_discard_urb, true },
        { USBDEVFS_CONTROL, sizeof(struct usbdevfs_ctrltransfer), do_control, false },
        { USBDEVFS_CLAIMINTERFACE, sizeof(unsigned), do_claim, false },
        { USBDEVFS_RELEASEINTERFACE, sizeof(unsigned), do_release, false },
        { USBDEVFS_DISCONNECT_CLAIM, sizeof(struct usbdevfs_disconnect_claim), do_disconnect_claim, false },
        { USBDEVFS_SETINTERFACE, sizeof(struct usbdevfs_setinterface), do_set_interface, false },
        { USBDEVFS_SETCONFIGURATION, sizeof(unsigned), do_nothing, false },
        { USBDEVFS_GETDRIVER, sizeof(struct usbdevfs_getdriver), do_get_driver, false },
        { USBDEVFS_GET_CAPABILITIES, sizeof(uint32_t), do_get_capabilities, false },
        { USBDEVFS_CONNECTINFO, sizeof(struct usbdevfs_connectinfo), do_connect_info, false },
        { USBDEVFS_GET_SPEED, 0, do_get_speed, false },
        { USBDEVFS_DROP_PRIVILEGES, 0, do_nothing, false },
        { USBDEVFS_RESET, 0, do_reset, false },
};

static void dispatch(struct client *client)
{
        UMockdevIoctlData *raw = umockdev_ioctl_client_get_arg(client->peer), *arg;
        unsigned long request = umockdev_ioctl_client_get_request(client->peer);

        for (size_t i = 0; i < ARRAY_SIZE(ioctls); i++) {
                if (ioctls[i].request != request)
                        continue;
                if (client->node->gone && !ioctls[i].after_pull) {
                        done(client, -ENODEV);
                        return;
                }
                if (ioctls[i].size == 0) {
                        ioctls[i].handler(client, raw);
                        return;
                }
                arg = umockdev_ioctl_data_resolve(raw, 0, ioctls[i].size, NULL);
                if (!arg) {
                        done(client, -EFAULT);
                        return;
                }
                ioctls[i].handler(client, arg);
                g_object_unref(arg);
                return;
        }
        done(client, -ENOTTY);
}

/* ---- programs come and go ------------------------------------------------------------ */

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
                dispatch(client);
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
