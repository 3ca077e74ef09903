/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/dfu-internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/image.h"

static const char *const profile_words[DFU_PROFILE_MAX_] = {
        [DFU_PROFILE_ROM] = "rom",
        [DFU_PROFILE_DFU11] = "dfu11",
};
DEFINE_WORDS(dfu_profile, profile_words)

/* ---- what is in flight: a ring in the order of submission ---- */

static size_t in_flight(const struct dfu *dfu)
{
        return (size_t)(dfu->tail - dfu->head);
}

static struct dfu_flight *flight_at(struct dfu *dfu, uint64_t position)
{
        return &dfu->flights[position % DFU_DEPTH_MAX];
}

/* The flight that a completion names, or NULL if nothing of that name is in flight. */
static struct dfu_flight *flight_by_tag(struct dfu *dfu, unsigned tag)
{
        for (uint64_t p = dfu->head; p < dfu->tail; p++)
                if (p % DFU_DEPTH_MAX == tag)
                        return flight_at(dfu, p)->done ? NULL : flight_at(dfu, p);
        return NULL;
}

static void retire(struct dfu *dfu, struct dfu_flight *flight)
{
        flight->done = true;
        while (dfu->head < dfu->tail && flight_at(dfu, dfu->head)->done)
                dfu->head++;
}

/* ---- time limits ---- */

uint64_t dfu_verify_limit(size_t verify_bytes)
{
        return DFU_VERIFY_LIMIT + (uint64_t)verify_bytes * DFU_VERIFY_PER_MIB / MIB;
}

static uint64_t erase_limit(size_t bytes)
{
        return bytes / FLASH_SECTOR_SIZE * DFU_ERASE_PER_SECTOR;
}

static uint64_t block_limit(const struct dfu *dfu, const struct dfu_flight *flight)
{
        const struct dfu_params *p = &dfu->params;
        size_t erased = 0;

        if (p->profile == DFU_PROFILE_DFU11)
                return DFU_POLL_LIMIT;
        /* The ROM works in pages, so the block that makes it erase may be a few blocks behind the file's first. */
        if (p->erase_bytes) {
                size_t from = flight->offset - MIN(flight->offset, (size_t)512);

                erased = p->erase_bytes(p->userdata, from, flight->offset + flight->length - from);
        }
        return DFU_REQUEST_LIMIT + erase_limit(erased);
}

static uint64_t limit_of(const struct dfu *dfu, const struct dfu_flight *flight)
{
        switch (dfu->stage) {
        case DFU_STAGE_MEET: /* it may still verify for an engine that was killed */
        case DFU_STAGE_MANIFEST:
        case DFU_STAGE_RESULT:
                return dfu_verify_limit(dfu->params.verify_bytes);
        case DFU_STAGE_SEND:
                return flight->request == DFU_DNLOAD ? block_limit(dfu, flight) : DFU_REQUEST_LIMIT;
        case DFU_STAGE_DETACH:
        case DFU_STAGE_CLEAR:
        case DFU_STAGE_MEET_AGAIN:
        case DFU_STAGE_CAUSE:
        case DFU_STAGE_ABORT:
        case DFU_STAGE_END:
                return DFU_REQUEST_LIMIT;
        }
        return DFU_REQUEST_LIMIT;
}

/* The request at the ring's head is the one that the device is at: its limit counts from now. */
static void renew_deadline(struct dfu *dfu, uint64_t now_usec)
{
        if (in_flight(dfu) > 0)
                dfu->deadline_usec = now_usec + limit_of(dfu, flight_at(dfu, dfu->head));
        else
                dfu->deadline_usec = dfu->poll_usec > 0 ? dfu->poll_usec : USEC_INFINITY;
}

static unsigned pace_min(const struct dfu *dfu)
{
        return dfu->params.profile == DFU_PROFILE_DFU11 ? DFU_PACE_MIN_DFU11 : DFU_PACE_MIN;
}

/* When the blocks are too slow, as far as they have come: later with each byte that is taken. */
static uint64_t pace_deadline(const struct dfu *dfu)
{
        const struct dfu_params *p = &dfu->params;
        uint64_t limit = DFU_SEND_LIMIT + (uint64_t)dfu->bytes_done * USEC_PER_SEC / pace_min(dfu);

        if (dfu->stage != DFU_STAGE_SEND || dfu->send_since_usec == USEC_INFINITY || dfu->draining)
                return USEC_INFINITY;
        if (p->profile == DFU_PROFILE_DFU11)
                limit += DFU_POLL_LIMIT; /* it may erase all of its flash at once */
        else if (p->erase_bytes)
                limit += erase_limit(p->erase_bytes(p->userdata, 0, dfu->next_offset));
        return dfu->send_since_usec + limit;
}

uint64_t dfu_deadline(const struct dfu *dfu)
{
        return MIN(dfu->deadline_usec, pace_deadline(dfu));
}

/* ---- how it ends ---- */

void dfu_enter(struct dfu *dfu, enum dfu_stage stage)
{
        dfu->stage = stage;
        dfu->asked = false;
        dfu->poll_usec = 0;
        dfu->busy_since_usec = USEC_INFINITY;
}

static void after_drain(struct dfu *dfu)
{
        bool cause_helps = dfu->verdict == VERDICT_STALLED || dfu->verdict == VERDICT_USB_ERROR;

        dfu->draining = false;
        dfu->cancel_wanted = false;
        if (dfu->abort_wanted)
                dfu_enter(dfu, DFU_STAGE_ABORT);
        else if (cause_helps && dfu->stage != DFU_STAGE_CAUSE && dfu->stage != DFU_STAGE_DETACH)
                dfu_enter(dfu, DFU_STAGE_CAUSE);
        else
                dfu_enter(dfu, DFU_STAGE_END);
        dfu->abort_wanted = false;
}

static void start_drain(struct dfu *dfu)
{
        if (in_flight(dfu) == 0) {
                after_drain(dfu);
                return;
        }
        dfu->draining = true;
        dfu->cancel_wanted = true;
}

void dfu_end_with(struct dfu *dfu, enum verdict verdict, const char *fmt, ...)
{
        va_list ap;

        if (dfu->verdict == VERDICT_NONE) {
                dfu->verdict = verdict;
                va_start(ap, fmt);
                vsnprintf(dfu->message, sizeof(dfu->message), fmt, ap);
                va_end(ap);
        }
        start_drain(dfu);
}

/* "DNLOAD at byte 4096 of 215040", for messages. */
static const char *describe(const struct dfu *dfu, const struct dfu_flight *flight, char *buf, size_t size)
{
        if (flight->request == DFU_DNLOAD && flight->length > 0)
                snprintf(buf, size, "DNLOAD at byte %zu of %zu", flight->offset, dfu->params.size);
        else if (flight->request == DFU_DNLOAD)
                snprintf(buf, size, "the empty DNLOAD that ends the download");
        else
                snprintf(buf, size, "%s", dfu_request_to_string(flight->request));
        return buf;
}

static void board_left(struct dfu *dfu)
{
        if (dfu->manifest_sent)
                dfu_end_with(dfu, VERDICT_BOARD_LEFT, "board left while it verified what it had written");
        else
                dfu_end_with(dfu, VERDICT_BOARD_LEFT, "board left at byte %zu of %zu", dfu->bytes_done,
                             dfu->params.size);
}

/* ---- completions ---- */

static void block_taken(struct dfu *dfu, const struct dfu_flight *flight, const struct dfu_completion *c)
{
        if (c->length != flight->length)
                dfu_end_with(dfu, VERDICT_BAD_ANSWER, "took %zu of %u bytes at byte %zu of %zu", c->length,
                             (unsigned)flight->length, flight->offset, dfu->params.size);
        else if (flight->length == 0)
                dfu_enter(dfu, DFU_STAGE_RESULT);
        else
                dfu->bytes_done = MAX(dfu->bytes_done, flight->offset + flight->length);
}

static void request_done(struct dfu *dfu, const struct dfu_flight *flight, const struct dfu_completion *c,
                         uint64_t now_usec)
{
        if (dfu->stage == DFU_STAGE_DETACH)
                dfu_end_with(dfu, VERDICT_DETACHED, "sent to DFU mode");
        else if (dfu->stage == DFU_STAGE_ABORT)
                dfu_enter(dfu, DFU_STAGE_END);
        else if (dfu->stage == DFU_STAGE_CLEAR)
                dfu_enter(dfu, DFU_STAGE_MEET_AGAIN);
        else if (flight->request == DFU_DNLOAD)
                block_taken(dfu, flight, c);
        else
                dfu_status_answered(dfu, flight, c, now_usec);
}

/* In run-time mode the ROM drops off the bus inside DETACH, so its failure is how success looks; a stall says that it
 * was in appDETACH, and is in appIDLE now. */
static void detach_failed(struct dfu *dfu, enum dfu_result how)
{
        if (how != DFU_STALL) {
                dfu_end_with(dfu, VERDICT_DETACHED, "sent to DFU mode");
        } else if (!dfu->detach_repeated) {
                dfu->detach_repeated = true;
                dfu->asked = false;
        } else {
                dfu_end_with(dfu, VERDICT_STALLED, "refused DETACH twice: expected to leave run-time mode");
        }
}

static void request_failed(struct dfu *dfu, const struct dfu_flight *flight, enum dfu_result how)
{
        char what[64];

        if (dfu->stage == DFU_STAGE_DETACH) {
                detach_failed(dfu, how);
        } else if (dfu->stage == DFU_STAGE_ABORT) { /* NOLINT(bugprone-branch-clone): the order counts */
                dfu_enter(dfu, DFU_STAGE_END);      /* cancelled all the same */
        } else if (how == DFU_GONE) {
                if (dfu->stage == DFU_STAGE_CAUSE)
                        dfu->verdict = VERDICT_NONE; /* the bus error was the board leaving */
                board_left(dfu);
        } else if (dfu->stage == DFU_STAGE_CAUSE) {
                dfu_enter(dfu, DFU_STAGE_END);
        } else if (how == DFU_STALL) {
                dfu_end_with(dfu, VERDICT_STALLED, "refused %s", describe(dfu, flight, what, sizeof(what)));
        } else {
                dfu_end_with(dfu, VERDICT_USB_ERROR, "the bus failed in %s",
                             describe(dfu, flight, what, sizeof(what)));
        }
}

void dfu_completed(struct dfu *dfu, const struct dfu_completion *c, uint64_t now_usec)
{
        struct dfu_flight *in_ring = flight_by_tag(dfu, c->tag);
        struct dfu_flight flight;

        if (!in_ring)
                return;
        flight = *in_ring;
        retire(dfu, in_ring);
        if (dfu->draining) {
                /* A board that is gone has nothing to be aborted. */
                if (c->result == DFU_GONE)
                        dfu->abort_wanted = false;
                if (in_flight(dfu) == 0)
                        after_drain(dfu);
                return;
        }
        if (c->result == DFU_DONE)
                request_done(dfu, &flight, c, now_usec);
        else
                request_failed(dfu, &flight, c->result);
        if (!dfu->draining)
                renew_deadline(dfu, now_usec);
}

static void too_slow(struct dfu *dfu, uint64_t now_usec)
{
        uint64_t seconds = (now_usec - dfu->send_since_usec) / USEC_PER_SEC;

        dfu_end_with(dfu, VERDICT_TIMED_OUT,
                     "too slow: %" PRIu64 " bytes/s after %" PRIu64
                     " s, at byte %zu of %zu: expected at least "
                     "%u bytes/s",
                     (uint64_t)dfu->bytes_done / MAX(seconds, UINT64_C(1)), seconds, dfu->bytes_done,
                     dfu->params.size, pace_min(dfu));
}

void dfu_expired(struct dfu *dfu, uint64_t now_usec)
{
        struct dfu_flight *head = flight_at(dfu, dfu->head);
        char what[64];

        if (now_usec < dfu->deadline_usec) {
                if (now_usec >= pace_deadline(dfu))
                        too_slow(dfu, now_usec);
                return;
        }
        dfu->deadline_usec = USEC_INFINITY;
        if (dfu->draining) {
                /* The bus does not give them back: whoever closes the device node ends them. No ABORT behind them. */
                dfu->head = dfu->tail;
                dfu->abort_wanted = false;
                dfu_enter(dfu, DFU_STAGE_CAUSE);
                after_drain(dfu);
        } else if (in_flight(dfu) == 0) {
                dfu->poll_usec = 0;
        } else {
                dfu_end_with(dfu, VERDICT_TIMED_OUT, "no answer to %s within %" PRIu64 " s",
                             describe(dfu, head, what, sizeof(what)), limit_of(dfu, head) / USEC_PER_SEC);
        }
}

/* ---- what comes next ---- */

static void submit(struct dfu *dfu, enum dfu_request request, uint16_t value, size_t offset, uint16_t length,
                   uint64_t now_usec, struct dfu_action *ret)
{
        bool idle = in_flight(dfu) == 0;

        *flight_at(dfu,
                   dfu->tail) = (struct dfu_flight){ .request = request, .offset = offset, .length = length };
        *ret = (struct dfu_action){
                .type = DFU_DO_REQUEST,
                .tag = (unsigned)(dfu->tail % DFU_DEPTH_MAX),
                .request = request,
                .value = value,
                .length = length,
                .offset = offset,
        };
        dfu->tail++;
        dfu->transfers++;
        dfu->asked = true;
        dfu->poll_usec = 0;
        if (idle)
                renew_deadline(dfu, now_usec);
}

static void submit_status(struct dfu *dfu, uint64_t now_usec, struct dfu_action *ret)
{
        dfu->since_status = 0;
        submit(dfu, DFU_GETSTATUS, 0, dfu->next_offset, DFU_STATUS_SIZE, now_usec, ret);
}

static void submit_block(struct dfu *dfu, uint64_t now_usec, struct dfu_action *ret)
{
        size_t offset = dfu->next_offset;
        size_t length = MIN(dfu->params.size - offset, (size_t)dfu->params.transfer_size);

        if (offset == 0)
                dfu->send_since_usec = now_usec;
        dfu->next_offset += length;
        dfu->since_status++;
        submit(dfu, DFU_DNLOAD, dfu->block_number++, offset, (uint16_t)length, now_usec, ret);
}

/*
 * Nothing stands behind the first block: were it refused, the one behind would begin the download, in the middle of the
 * archive, and that is a raw write at flash address 0.
 */
static bool first_is_under_way(const struct dfu *dfu)
{
        return dfu->next_offset > 0 && dfu->bytes_done == 0;
}

static void next_to_send(struct dfu *dfu, uint64_t now_usec, struct dfu_action *ret)
{
        bool all_sent = dfu->next_offset == dfu->params.size;

        if (in_flight(dfu) >= dfu->params.depth || first_is_under_way(dfu))
                return;
        if (dfu->since_status >= dfu->params.status_every || (all_sent && dfu->since_status > 0))
                submit_status(dfu, now_usec, ret);
        else if (!all_sent)
                submit_block(dfu, now_usec, ret);
}

/* The one request of a stage that has just one. */
static void next_of_stage(struct dfu *dfu, uint64_t now_usec, struct dfu_action *ret)
{
        switch (dfu->stage) {
        case DFU_STAGE_DETACH:
                submit(dfu, DFU_DETACH, dfu->block_number, 0, 0, now_usec, ret);
                break;
        case DFU_STAGE_MEET:
        case DFU_STAGE_MEET_AGAIN:
        case DFU_STAGE_RESULT:
        case DFU_STAGE_CAUSE:
                submit_status(dfu, now_usec, ret);
                break;
        case DFU_STAGE_CLEAR:
                submit(dfu, dfu->clear_with, 0, 0, 0, now_usec, ret);
                break;
        case DFU_STAGE_MANIFEST:
                dfu->manifest_sent = true;
                submit(dfu, DFU_DNLOAD, dfu->block_number++, dfu->params.size, 0, now_usec, ret);
                break;
        case DFU_STAGE_ABORT:
                submit(dfu, DFU_ABORT, 0, 0, 0, now_usec, ret);
                break;
        case DFU_STAGE_SEND:
        case DFU_STAGE_END:
                break;
        }
}

void dfu_next(struct dfu *dfu, uint64_t now_usec, struct dfu_action *ret)
{
        *ret = (struct dfu_action){ .type = DFU_DO_WAIT };
        if (dfu->cancel_wanted) {
                dfu->cancel_wanted = false;
                dfu->deadline_usec = now_usec + DFU_DRAIN_LIMIT;
                ret->type = DFU_DO_CANCEL;
        } else if (dfu->draining || now_usec < dfu->poll_usec) {
                return;
        } else if (dfu->stage == DFU_STAGE_END) {
                ret->type = DFU_DO_END;
        } else if (dfu->stage == DFU_STAGE_SEND) {
                next_to_send(dfu, now_usec, ret);
        } else if (!dfu->asked && in_flight(dfu) == 0) {
                next_of_stage(dfu, now_usec, ret); /* never behind something whose end is not known */
        }
}

void dfu_cancel(struct dfu *dfu)
{
        if (dfu->verdict != VERDICT_NONE || dfu->stage == DFU_STAGE_END)
                return;
        dfu->abort_wanted = dfu->transfers > 0 && dfu->stage != DFU_STAGE_DETACH;
        dfu_end_with(dfu, VERDICT_CANCELLED, "cancelled at byte %zu of %zu", dfu->bytes_done,
                     dfu->params.size);
}

void dfu_start(struct dfu *dfu, const struct dfu_params *params)
{
        *dfu = (struct dfu){ .params = *params,
                             .send_since_usec = USEC_INFINITY,
                             .deadline_usec = USEC_INFINITY };
        if (params->profile == DFU_PROFILE_DFU11)
                dfu->params.depth = dfu->params.status_every = 1;
        dfu->params.depth = MIN(MAX(dfu->params.depth, 1U), (unsigned)DFU_DEPTH_MAX);
        dfu->params.status_every = MAX(dfu->params.status_every, 1U);
        dfu_enter(dfu, DFU_STAGE_MEET);
}

void dfu_start_detach(struct dfu *dfu, uint16_t timeout_ms)
{
        *dfu = (struct dfu){ .block_number = timeout_ms,
                             .send_since_usec = USEC_INFINITY,
                             .deadline_usec = USEC_INFINITY };
        dfu_enter(dfu, DFU_STAGE_DETACH);
}
