/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/vm/port.h"
#include "tests/vm/usbip.h"
#include "tests/vm/vhci.h"

#define IN_MAX               (USBIP_HEADER_SIZE + USBIP_DATA_MAX)
#define OUT_MAX              (16 * KIB)
#define RETRY_USEC           (2 * USEC_PER_MSEC) /* the kernel has not done with the last device */
#define GIVE_UP_USEC         (10 * USEC_PER_SEC)
#define GET_DESCRIPTOR       6
#define SET_CONFIGURATION    9
#define ENUMERATION_LENGTH   64 /* bytes that the kernel asks for first */
#define DEVICE_DESCRIPTOR    0x0100
#define TO_INTERFACE_CLASS   0x21
#define FROM_DEVICE_STANDARD 0x80
#define TO_DEVICE_STANDARD   0x00

struct urb {
        struct urb *next;
        uint32_t seqnum;
        uint64_t arrived_usec;
        uint8_t setup[8];
        uint8_t data[]; /* OUT: at least wLength bytes */
};

/* ---- lists ---- */

static void list_append(struct urb_list *list, struct urb *urb)
{
        if (list->last)
                list->last->next = urb;
        else
                list->first = urb;
        list->last = urb;
        list->n++;
}

/* Takes the URB out; NULL if it is not there. */
static struct urb *list_take(struct urb_list *list, uint32_t seqnum)
{
        for (struct urb *urb = list->first, *before = NULL; urb; before = urb, urb = urb->next) {
                if (urb->seqnum != seqnum)
                        continue;
                if (before)
                        before->next = urb->next;
                else
                        list->first = urb->next;
                if (list->last == urb)
                        list->last = before;
                urb->next = NULL;
                list->n--;
                return urb;
        }
        return NULL;
}

static void list_clear(struct urb_list *list)
{
        while (list->first)
                free(list_take(list, list->first->seqnum));
}

/* ---- the port ---- */

static void leave_bus(struct port *p)
{
        list_clear(&p->control);
        list_clear(&p->others);
        free(p->current);
        p->current = NULL;
        p->busy = p->configured = p->was_reset = false;
        p->in_len = p->out_len = 0;
        if (p->fd >= 0)
                close(p->fd);
        p->fd = -EBADF;
        p->phase = PORT_EMPTY;
}

static void come_back_at(struct port *p, uint64_t when)
{
        if (when == USEC_INFINITY)
                return;
        p->phase = PORT_AWAY;
        p->back_at = when;
        p->give_up_at = when + GIVE_UP_USEC;
}

static void try_to_attach(struct port *p, uint64_t now)
{
        int r = vhci_attach(p->number, &p->fd);

        if (r == -EBUSY && now < p->give_up_at) {
                p->back_at = now + RETRY_USEC;
                return;
        }
        if (r == 0) {
                struct epoll_event event = { .events = EPOLLIN, .data.u64 = p->number };

                r = epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, p->fd, &event) < 0 ? -errno : 0;
        }
        if (r < 0) {
                fprintf(stderr, "port %u: attach: %s\n", p->number, strerror(-r));
                leave_bus(p);
                return;
        }
        p->phase = PORT_ATTACHED;
        p->free_at = now;
        if (p->figures.attached++ == 0)
                p->figures.plugged_at = now;
}

void plug_done(struct plug *plug)
{
        for (size_t i = 0; i < PORT_N_STRINGS; i++)
                free(plug->strings[i]);
        *plug = (struct plug){ 0 };
}

static int new_board(struct port *p, struct plug *plug)
{
        struct rom *rom = rom_new(&plug->config);

        if (!rom)
                return -ENOMEM;
        if (p->rom)
                rom_free(p->rom);
        p->rom = rom;
        for (size_t i = 0; i < PORT_N_STRINGS; i++) {
                free(p->strings[i]);
                p->strings[i] = take_ptr(plug->strings[i]);
        }
        p->figures = (struct port_figures){ 0 };
        p->download_from = 0;
        return 0;
}

int port_plug(struct port *p, struct plug *plug, uint64_t now)
{
        int r = p->rom ? 0 : -ENODEV;

        if (p->phase != PORT_EMPTY)
                return -EBUSY;
        if (!p->in && !(p->in = malloc(IN_MAX)))
                return -ENOMEM;
        if (!p->out && !(p->out = malloc(OUT_MAX)))
                return -ENOMEM;
        if (plug)
                r = new_board(p, plug);
        if (r == 0)
                come_back_at(p, now);
        return r;
}

int port_pull(struct port *p)
{
        if (p->phase == PORT_EMPTY)
                return -ENODEV;
        leave_bus(p);
        rom_power_off(p->rom);
        return 0;
}

void port_done(struct port *p)
{
        leave_bus(p);
        if (p->rom)
                rom_free(p->rom);
        p->rom = NULL;
        for (size_t i = 0; i < PORT_N_STRINGS; i++)
                free(p->strings[i]);
        free(p->in);
        free(p->out);
        p->in = p->out = NULL;
}

/* ---- answers ---- */

static void flush(struct port *p)
{
        size_t sent = 0;

        while (p->fd >= 0 && sent < p->out_len) {
                ssize_t n = send(p->fd, p->out + sent, p->out_len - sent, MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        break; /* the kernel hung up: port_receive() sees it too */
                sent += (size_t)n;
        }
        p->out_len = 0;
}

static uint8_t *out_room(struct port *p, size_t len)
{
        uint8_t *room;

        if (p->out_len + len > OUT_MAX)
                flush(p);
        room = p->out + p->out_len;
        p->out_len += len;
        return room;
}

static void answer_submit(struct port *p, uint32_t seqnum, int status, uint32_t actual,
                          const uint8_t *in_data)
{
        size_t data_len = in_data ? actual : 0;
        uint8_t *room = out_room(p, USBIP_HEADER_SIZE + data_len);

        usbip_submit_reply(room, seqnum, status, actual);
        if (data_len > 0)
                memcpy(room + USBIP_HEADER_SIZE, in_data, data_len);
}

/* ---- endpoint 0 ---- */

static void note_request(struct port *p, const struct rom_setup *setup, uint64_t start)
{
        if (setup->bmRequestType == TO_INTERFACE_CLASS && setup->bRequest == ROM_DETACH &&
            p->figures.detach_at == 0)
                p->figures.detach_at = start;
        if (setup->bmRequestType != TO_INTERFACE_CLASS || setup->bRequest != ROM_DNLOAD)
                return;
        if (p->download_from == 0)
                p->download_from = start;
        if (p->figures.download_at == 0)
                p->figures.download_at = start;
        if (setup->wLength == 0) {
                p->figures.download_usec = p->done_at == USEC_INFINITY ? 0 : p->done_at - p->download_from;
                p->download_from = 0;
        }
}

/* Puts the first transfer of the queue on the bus. */
static void begin(struct port *p)
{
        struct urb *urb = list_take(&p->control, p->control.first->seqnum);
        struct rom_setup setup = rom_setup_parse(urb->setup);
        uint64_t start = MAX(urb->arrived_usec, p->free_at);
        uint64_t completed = rom_counters(p->rom)->completed;
        bool enumerates = setup.bmRequestType == FROM_DEVICE_STANDARD && setup.bRequest == GET_DESCRIPTOR &&
                          setup.wValue == DEVICE_DESCRIPTOR && setup.wLength == ENUMERATION_LENGTH;

        p->current = urb;
        p->busy = true;
        if (enumerates && p->configured) {
                p->configured = false;
                p->figures.resets_seen++;
                rom_bus_reset(p->rom, &p->reply);
                p->was_reset = p->reply.answer == ROM_VANISH;
        }
        if (!p->was_reset)
                rom_control(p->rom, &setup, urb->data, &p->reply);
        p->done_at = p->reply.answer == ROM_SILENCE ? USEC_INFINITY : start + p->reply.delay_usec;
        if (rom_counters(p->rom)->completed > completed)
                p->figures.completed_at = p->done_at;
        note_request(p, &setup, start);
}

/* The transfer on the bus is over. */
static void finish(struct port *p)
{
        struct urb *urb = take_ptr(p->current);
        bool in = urb && (urb->setup[0] & 0x80);

        p->busy = false;
        p->free_at = p->done_at;
        switch (p->reply.answer) {
        case ROM_ACK:
                if (!urb)
                        break;
                if (urb->setup[0] == TO_DEVICE_STANDARD && urb->setup[1] == SET_CONFIGURATION)
                        p->configured = urb->setup[2] != 0;
                answer_submit(p, urb->seqnum, 0, (uint32_t)p->reply.len, in ? p->reply.data : NULL);
                break;
        case ROM_STALL:
                if (urb)
                        answer_submit(p, urb->seqnum, -EPIPE, 0, NULL);
                break;
        case ROM_VANISH:
                /* DETACH is not answered: the kernel ends the transfer when it notices that the device is gone. */
                flush(p); /* what was answered before it went */
                leave_bus(p);
                come_back_at(p, p->reply.away_usec == USEC_INFINITY ? USEC_INFINITY
                                                                    : p->done_at + p->reply.away_usec);
                break;
        case ROM_SILENCE:
                break;
        }
        free(urb);
}

uint64_t port_run(struct port *p, uint64_t now)
{
        if (p->phase == PORT_AWAY && p->back_at <= now) {
                rom_attach(p->rom);
                try_to_attach(p, now);
        }
        while (p->phase == PORT_ATTACHED) {
                if (!p->busy && p->control.first)
                        begin(p);
                if (!p->busy || p->done_at > now)
                        break;
                finish(p);
        }
        flush(p);
        switch (p->phase) {
        case PORT_EMPTY:
                break;
        case PORT_AWAY:
                return p->back_at;
        case PORT_ATTACHED:
                return p->busy ? p->done_at : USEC_INFINITY;
        }
        return USEC_INFINITY;
}

/* ---- requests ---- */

static void unlink_urb(struct port *p, const struct usbip_request *request, uint64_t now)
{
        struct urb *urb = list_take(&p->control, request->victim);
        uint8_t *room;

        if (!urb)
                urb = list_take(&p->others, request->victim);
        if (!urb && p->current && p->current->seqnum == request->victim) {
                urb = take_ptr(p->current);
                /*
                 * The chip goes on with what it was handed; only a silent one lets the next one through
                 * at once.
                 */
                if (p->done_at == USEC_INFINITY) {
                        p->busy = false;
                        p->free_at = now;
                }
        }
        if (urb)
                p->figures.unlinked++;
        room = out_room(p, USBIP_HEADER_SIZE);
        usbip_unlink_reply(room, request->seqnum, urb ? -ECONNRESET : 0);
        free(urb);
}

static int submit_urb(struct port *p, const struct usbip_request *request, const uint8_t *data, uint64_t now)
{
        size_t out_len = request->in ? 0 : request->length;
        struct rom_setup setup = rom_setup_parse(request->setup);
        struct urb *urb;

        if (request->endpoint != 0 && !request->in) {
                answer_submit(p, request->seqnum, 0, request->length, NULL);
                return 0;
        }
        urb = calloc(1, sizeof(*urb) + MAX(out_len, (size_t)setup.wLength));
        if (!urb)
                return -ENOMEM;
        urb->seqnum = request->seqnum;
        urb->arrived_usec = now;
        memcpy(urb->setup, request->setup, sizeof(urb->setup));
        if (out_len > 0)
                memcpy(urb->data, data, out_len);
        list_append(request->endpoint == 0 ? &p->control : &p->others, urb);
        p->figures.queue_max = MAX(p->figures.queue_max, p->control.n + p->busy);
        return 0;
}

/* Takes one whole request off the buffer's front: 1, or 0 when it is not all there. */
static int take_request(struct port *p, size_t *at, uint64_t now)
{
        struct usbip_request request;
        const uint8_t *header = p->in + *at;
        size_t have = p->in_len - *at, data_len;
        int r;

        if (have < USBIP_HEADER_SIZE)
                return 0;
        r = usbip_request_parse(header, &request);
        if (r < 0)
                return r;
        data_len = request.command == USBIP_SUBMIT && !request.in ? request.length : 0;
        if (have < USBIP_HEADER_SIZE + data_len)
                return 0;
        *at += USBIP_HEADER_SIZE + data_len;
        switch (request.command) {
        case USBIP_SUBMIT:
                r = submit_urb(p, &request, header + USBIP_HEADER_SIZE, now);
                break;
        case USBIP_UNLINK:
                unlink_urb(p, &request, now);
                break;
        }
        return r < 0 ? r : 1;
}

void port_receive(struct port *p, uint64_t now)
{
        size_t at = 0;
        ssize_t n;
        int r;

        if (p->phase != PORT_ATTACHED)
                return;
        n = recv(p->fd, p->in + p->in_len, IN_MAX - p->in_len, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) {
                fprintf(stderr, "port %u: the kernel hung up\n", p->number);
                port_pull(p);
                return;
        }
        p->in_len += (size_t)n;
        do
                r = take_request(p, &at, now);
        while (r > 0);
        if (r < 0) {
                fprintf(stderr, "port %u: USB/IP request: %s\n", p->number, strerror(-r));
                port_pull(p);
                return;
        }
        memmove(p->in, p->in + at, p->in_len - at);
        p->in_len -= at;
}
