/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/download.h"

#include "engine/wait.h"
#include "io/clock.h"

/* Enough to keep the bus busy while this process is not scheduled for 5 ms (80 us a block). */
#define DEPTH 64
/* Each costs the time of one block; an error is found at most so many blocks late. */
#define STATUS_EVERY 256

/* bmRequestType: class, interface. */
#define REQUEST_OUT (LIBUSB_ENDPOINT_OUT | LIBUSB_REQUEST_TYPE_CLASS | LIBUSB_RECIPIENT_INTERFACE)
#define REQUEST_IN  (LIBUSB_ENDPOINT_IN | LIBUSB_REQUEST_TYPE_CLASS | LIBUSB_RECIPIENT_INTERFACE)

struct slot {
        struct download *download;
        struct libusb_transfer *transfer;
        uint8_t *buffer; /* setup packet and data */
        bool in_flight;
};

struct download {
        struct board *board;
        const struct payload *payload;
        struct channel *channel;
        struct waiter waiter;
        struct dfu dfu;
        struct slot slots[DFU_DEPTH_MAX]; /* by tag; transfers are made at their first use */
        size_t n_in_flight;
};

/* ---- the bus ---- */

static enum dfu_result result_of(const struct libusb_transfer *t)
{
        switch (t->status) {
        case LIBUSB_TRANSFER_COMPLETED:
                return DFU_DONE;
        case LIBUSB_TRANSFER_STALL:
                return DFU_STALL;
        case LIBUSB_TRANSFER_NO_DEVICE:
                return DFU_GONE;
        case LIBUSB_TRANSFER_CANCELLED:
                return DFU_CANCELLED;
        case LIBUSB_TRANSFER_ERROR:
        case LIBUSB_TRANSFER_TIMED_OUT:
        case LIBUSB_TRANSFER_OVERFLOW:
                return DFU_BUS_ERROR;
        }
        return DFU_BUS_ERROR;
}

static void complete(struct slot *slot, enum dfu_result result, size_t length)
{
        struct download *d = slot->download;
        struct dfu_completion completion = {
                .tag = (unsigned)(slot - d->slots),
                .result = result,
                .length = length,
                .data = slot->buffer + LIBUSB_CONTROL_SETUP_SIZE,
        };

        dfu_completed(&d->dfu, &completion, monotonic_usec());
}

static void LIBUSB_CALL on_completion(struct libusb_transfer *t)
{
        struct slot *slot = t->user_data;

        slot->in_flight = false;
        slot->download->n_in_flight--;
        complete(slot, result_of(t), t->actual_length < 0 ? 0 : (size_t)t->actual_length);
}

static int make_slot(struct download *d, struct slot *slot)
{
        size_t data = MAX((size_t)d->board->dfu.transfer_size, (size_t)DFU_STATUS_SIZE);

        if (slot->transfer)
                return 0;
        slot->download = d;
        slot->buffer = calloc(1, LIBUSB_CONTROL_SETUP_SIZE + data);
        slot->transfer = slot->buffer ? libusb_alloc_transfer(0) : NULL;
        return slot->transfer ? 0 : -ENOMEM;
}

static void submit(struct download *d, const struct dfu_action *action)
{
        struct slot *slot = &d->slots[action->tag];
        bool in = action->request == DFU_GETSTATUS;
        int r;

        if (make_slot(d, slot) < 0) {
                slot->download = d;
                complete(slot, DFU_BUS_ERROR, 0);
                return;
        }
        libusb_fill_control_setup(slot->buffer, in ? REQUEST_IN : REQUEST_OUT, (uint8_t)action->request,
                                  action->value, d->board->dfu.interface, action->length);
        if (!in && action->length > 0)
                memcpy(slot->buffer + LIBUSB_CONTROL_SETUP_SIZE, d->payload->data + action->offset,
                       action->length);
        /* No time limit in libusb: it would count from here, while the ones ahead may erase for seconds. */
        libusb_fill_control_transfer(slot->transfer, d->board->handle, slot->buffer, on_completion, slot, 0);
        r = libusb_submit_transfer(slot->transfer);
        if (r == LIBUSB_SUCCESS) {
                slot->in_flight = true;
                d->n_in_flight++;
        } else {
                complete(slot, r == LIBUSB_ERROR_NO_DEVICE ? DFU_GONE : DFU_BUS_ERROR, 0);
        }
}

/* From the last to the first: whatever stands behind must not run while the ones before are taken back. */
static void cancel_all(struct download *d)
{
        for (uint64_t p = d->dfu.tail; p > d->dfu.head; p--) {
                struct slot *slot = &d->slots[(p - 1) % DFU_DEPTH_MAX];

                if (slot->in_flight)
                        libusb_cancel_transfer(slot->transfer);
        }
}

/* Carries out actions until there is something to wait for. Returns whether it has ended. */
static bool pump(struct download *d)
{
        struct dfu_action action;

        for (;;) {
                dfu_next(&d->dfu, monotonic_usec(), &action);
                switch (action.type) {
                case DFU_DO_WAIT:
                        return false;
                case DFU_DO_REQUEST:
                        submit(d, &action);
                        break;
                case DFU_DO_CANCEL:
                        cancel_all(d);
                        break;
                case DFU_DO_END:
                        return true;
                }
        }
}

/* ---- the daemon ---- */

static enum phase phase_of(enum dfu_stage stage)
{
        switch (stage) {
        case DFU_STAGE_DETACH:
                return PHASE_DETACHING;
        case DFU_STAGE_MANIFEST:
        case DFU_STAGE_RESULT:
                return PHASE_VERIFYING;
        case DFU_STAGE_MEET:
        case DFU_STAGE_CLEAR:
        case DFU_STAGE_MEET_AGAIN:
        case DFU_STAGE_SEND:
        case DFU_STAGE_CAUSE:
        case DFU_STAGE_ABORT:
        case DFU_STAGE_END:
                return PHASE_DOWNLOADING;
        }
        return PHASE_DOWNLOADING;
}

static int tell_progress(struct download *d, uint64_t now)
{
        uint64_t deadline = dfu_deadline(&d->dfu);
        struct engine_message message = {
                .phase = phase_of(d->dfu.stage),
                .bytes_done = d->dfu.bytes_done,
                .bytes_total = d->dfu.params.size,
                .transfers = d->dfu.transfers,
                .quiet_usec = CHANNEL_QUIET_MARGIN +
                              (deadline == USEC_INFINITY || deadline < now ? 0 : deadline - now),
        };

        return channel_progress(d->channel, &message, now);
}

/* ---- the loop ---- */

/* The daemon crashed: the next one finds the board in whatever state, and wants its interface at once. */
static int abandon(struct download *d)
{
        cancel_all(d);
        return -EPIPE;
}

int download_run(struct download *d, const struct dfu **ret)
{
        *ret = &d->dfu;
        while (!pump(d)) {
                uint64_t now = monotonic_usec();
                int r = tell_progress(d, now);

                if (r < 0 && r != -EPIPE && r != -ECONNRESET)
                        return r;
                r = waiter_wait(&d->waiter, now, MIN(dfu_deadline(&d->dfu), channel_deadline(d->channel)));
                if (r < 0)
                        return r;
                if (r == WAITER_ALONE)
                        return abandon(d);
                if (r == WAITER_STOPPED)
                        dfu_cancel(&d->dfu);
                dfu_expired(&d->dfu, monotonic_usec());
        }
        return 0;
}

/* ---- its making ---- */

static size_t erase_bytes(const void *userdata, size_t offset, size_t len)
{
        return erase_plan_bytes(userdata, offset, len);
}

static void start(struct download *d)
{
        struct dfu_params params = {
                .profile = d->board->is_rom ? DFU_PROFILE_ROM : DFU_PROFILE_DFU11,
                .transfer_size = d->board->dfu.transfer_size,
                .manifestation_tolerant = d->board->dfu.attributes & DFU_MANIFESTATION_TOLERANT,
                .depth = DEPTH,
                .status_every = STATUS_EVERY,
        };

        if (!d->board->dfu.dfu_mode) {
                dfu_start_detach(&d->dfu, d->board->dfu.detach_timeout_ms);
                return;
        }
        params.size = d->payload->size;
        params.verify_bytes = d->payload->is_archive ? d->payload->plan.flash_bytes : d->payload->size;
        if (d->payload->is_archive) {
                params.erase_bytes = erase_bytes;
                params.userdata = &d->payload->plan;
        }
        dfu_start(&d->dfu, &params);
}

int download_new(struct board *board, const struct payload *payload, struct channel *channel, int signal_fd,
                 struct download **ret)
{
        struct download *d = calloc(1, sizeof(*d));

        if (!d)
                return -ENOMEM;
        d->board = board;
        d->payload = payload;
        d->channel = channel;
        waiter_init(&d->waiter, board->usb, signal_fd, channel->fd);
        start(d);
        *ret = d;
        return 0;
}

struct download *download_free(struct download *d)
{
        for (size_t i = 0; i < ARRAY_SIZE(d->slots); i++) {
                /* The kernel may still write into one that is in flight: the process ends soon. */
                if (d->slots[i].in_flight)
                        continue;
                libusb_free_transfer(d->slots[i].transfer);
                free(d->slots[i].buffer);
        }
        waiter_done(&d->waiter);
        free(d);
        return NULL;
}
