/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ioctls of a device node, as the kernel's usbfs has them. */
#include <sys/ioctl.h>

#include <linux/usbdevice_fs.h>

#include "tests/rom/bed-internal.h"

#include <stdio.h>

#define SETUP_SIZE        8
#define TRANSFER_DATA_MAX 4096 /* of a control transfer, as the kernel limits it */
#define RECIPIENT_MASK    0x1f
#define SPEED_FULL        2

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
        node_forget_closed(client->node, client);
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
        client->node->n_claims++;
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
        transfer_submit(t);
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
        transfer_submit(t);
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
                transfer_submit(t);
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
        client_begin_reap(client, true);
}

static void do_reap_ndelay(struct client *client, UMockdevIoctlData *arg)
{
        struct bed *bed = client->node->board->bed;

        (void)arg;
        client_begin_reap(client, false); /* it may be gone after this */
        g_cond_signal(&bed->changed);
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

void client_ioctl(struct client *client)
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
