/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/dfu-chaos.h"

#define STEPS_MAX 20000

struct chaos {
        struct dice *dice;
        unsigned tameness; /* 0 to 99: how many answers of a hundred are what a good device says */
        bool in_order;
        struct dfu dfu;
        uint64_t now_usec;
        struct dfu_action flights[DFU_DEPTH_MAX]; /* those out, in the order of submission */
        size_t n;
        bool cancelled; /* DFU_DO_CANCEL was carried out, and some are still out */
        enum dfu_state device;
        bool idle_before_empty,
                ok_before_empty; /* the last answers: dfuDNLOAD-IDLE before the empty DNLOAD … */
        bool ok_after_empty;     /* … dfuIDLE after it */
        bool empty_done;
        size_t taken;                        /* bytes of blocks that ended well */
        unsigned requests[DFU_REQUEST_MAX_]; /* that were asked for */
};

static void begin(struct chaos *c, struct dice *dice)
{
        struct dfu_params p = { 0 };

        *c = (struct chaos){ .dice = dice, .now_usec = 1 };
        c->tameness = roll(c->dice, 5) * 25 - (roll(c->dice, 2) ? 1 : 0);
        c->tameness = MIN(c->tameness, 99U);
        c->in_order = roll(c->dice, 2);
        c->device = DFU_IDLE;
        p.profile = roll(c->dice, 2) ? DFU_PROFILE_ROM : DFU_PROFILE_DFU11;
        p.size = 1 + roll(c->dice, 3000);
        p.transfer_size = (uint16_t)(1 + roll(c->dice, 128));
        p.manifestation_tolerant = roll(c->dice, 2);
        p.depth = roll(c->dice, 3) ? roll(c->dice, 9) : 64;
        p.status_every = roll(c->dice, 70);
        p.verify_bytes = p.size;
        dfu_start(&c->dfu, &p);
        if (roll(c->dice, 10) == 0)
                dfu_start_detach(&c->dfu, (uint16_t)roll(c->dice, 0x10000));
}

/* ---- what must hold ---- */

static void check(const struct chaos *c, bool rule, const char *what)
{
        if (!rule)
                fail_msg("%s: %s", dice_name(c->dice), what);
}

static void take_request(struct chaos *c, const struct dfu_action *a)
{
        const struct dfu_params *p = &c->dfu.params;

        check(c, !c->cancelled, "submits while cancelled transfers are out");
        check(c, c->n < MAX(p->depth, 1U), "more in flight than the depth");
        check(c, a->tag < DFU_DEPTH_MAX, "a tag out of range");
        for (size_t i = 0; i < c->n; i++)
                check(c, c->flights[i].tag != a->tag, "a tag twice in flight");
        if (c->requests[DFU_DNLOAD] == 1 && c->dfu.bytes_done == 0)
                check(c, c->n == 0, "something behind the first block before it was taken");
        if (a->request == DFU_ABORT || a->request == DFU_CLRSTATUS)
                check(c, c->n == 0, "ABORT or CLRSTATUS with something in flight");
        check(c, a->request < DFU_REQUEST_MAX_, "no request");
        if (a->request == DFU_DNLOAD) {
                check(c, a->value == (uint16_t)c->requests[DFU_DNLOAD], "a block out of its order");
                check(c, a->length <= p->transfer_size && a->offset + a->length <= p->size,
                      "a block outside");
                check(c, a->length > 0 || (a->offset == p->size && c->ok_before_empty),
                      "the empty DNLOAD without dfuDNLOAD-IDLE, OK before it");
                check(c, a->length > 0 || c->n == 0, "the empty DNLOAD with something in flight");
        }
        if (a->request == DFU_GETSTATUS)
                check(c, a->length == DFU_STATUS_SIZE, "asks for more than a status, or for less");
        else if (a->request != DFU_DNLOAD)
                check(c, a->length == 0, "data where none belongs");
        c->requests[a->request]++;
        c->flights[c->n++] = *a;
}

/* However long the device keeps it busy: what is asked of it is bounded. A device that asks for time (dfu11) is asked again,
 * for as long as DFU_POLL_LIMIT. */
static void check_count(const struct chaos *c)
{
        const struct dfu_params *p = &c->dfu.params;
        size_t blocks = p->size > 0 ? (p->size + p->transfer_size - 1) / p->transfer_size + 1
                                    : 0; /* 0: a DETACH */

        check(c, c->requests[DFU_DNLOAD] <= blocks, "more blocks than there are");
        check(c, c->requests[DFU_DETACH] <= (blocks == 0 ? 2 : 0), "DETACH in a download, or once more");
        check(c, c->requests[DFU_CLRSTATUS] + c->requests[DFU_ABORT] <= 2, "clears without an end");
        check(c, c->requests[DFU_UPLOAD] + c->requests[DFU_GETSTATE] == 0,
              "reads flash, or asks for a state");
        if (p->profile == DFU_PROFILE_ROM)
                check(c, c->requests[DFU_GETSTATUS] <= blocks + 4, "asks without an end");
}

/* Nothing is waited for without a limit, or beyond the longest. */
static void check_limit(const struct chaos *c)
{
        uint64_t deadline = dfu_deadline(&c->dfu);
        uint64_t longest = MAX((uint64_t)DFU_POLL_LIMIT, dfu_verify_limit(c->dfu.params.verify_bytes));

        check(c, deadline != USEC_INFINITY || c->n == 0, "something is in flight without a limit");
        check(c, deadline == USEC_INFINITY || deadline <= c->now_usec + longest, "a limit beyond all limits");
}

static void check_end(const struct chaos *c)
{
        const struct dfu *dfu = &c->dfu;

        check(c, dfu->verdict != VERDICT_NONE, "ends without a verdict");
        check(c, dfu->message[0] && memchr(dfu->message, '\0', sizeof(dfu->message)),
              "ends without a message");
        if (dfu->verdict != VERDICT_FLASHED)
                return;
        check(c, c->n == 0, "flashed with something in flight");
        check(c, c->empty_done && c->ok_after_empty && c->ok_before_empty,
              "flashed without the board's word");
        check(c, c->taken == dfu->params.size && dfu->bytes_done == c->taken,
              "flashed without all the bytes");
}

/* ---- the device ---- */

/* What a good device says to this one. */
static void good_answer(struct chaos *c, const struct dfu_action *a, uint8_t status[static 6])
{
        switch (a->request) {
        case DFU_DNLOAD:
                c->device = a->length > 0 ? DFU_DNLOAD_IDLE : DFU_IDLE;
                break;
        case DFU_CLRSTATUS:
        case DFU_ABORT:
                c->device = DFU_IDLE;
                break;
        case DFU_DETACH:
        case DFU_UPLOAD:
        case DFU_GETSTATUS:
        case DFU_GETSTATE:
        case DFU_REQUEST_MAX_:
                break;
        }
        status[4] = (uint8_t)c->device;
}

/* Remembers what the machine was told, to compare with what it makes of it. */
static void note_truth(struct chaos *c, const struct dfu_action *a, const struct dfu_completion *done)
{
        const struct dfu_params *p = &c->dfu.params;
        bool status = a->request == DFU_GETSTATUS && done->result == DFU_DONE && done->length >= 6 &&
                      done->data[0] == DFU_OK;
        bool manifests = p->profile == DFU_PROFILE_DFU11 && !p->manifestation_tolerant;

        if (a->request == DFU_DNLOAD && done->result == DFU_DONE) {
                if (a->length == 0)
                        c->empty_done = done->length == 0;
                else
                        c->taken += done->length;
        }
        if (!status)
                return;
        if (c->empty_done)
                c->ok_after_empty = done->data[4] == DFU_IDLE ||
                                    (manifests && (done->data[4] == DFU_MANIFEST ||
                                                   done->data[4] == DFU_MANIFEST_WAIT_RESET));
        else
                c->ok_before_empty = done->data[4] == DFU_DNLOAD_IDLE;
}

static void one_ends(struct chaos *c)
{
        size_t which = c->in_order || roll(c->dice, 4) > 0 ? 0 : roll(c->dice, (uint32_t)c->n);
        struct dfu_action a = c->flights[which];
        uint8_t status[6] = { 0 };
        struct dfu_completion done = { .tag = a.tag, .length = a.length, .data = status };

        memmove(&c->flights[which], &c->flights[which + 1], (c->n - which - 1) * sizeof(a));
        c->n--;
        good_answer(c, &a, status);
        if (roll(c->dice, 100) >= c->tameness) {
                if (roll(c->dice, 3) == 0)
                        done.result = (enum dfu_result)roll(c->dice, DFU_BUS_ERROR + 1);
                if (roll(c->dice, 4) == 0)
                        done.length = roll(c->dice, a.length + 1U);
                if (roll(c->dice, 3) == 0)
                        status[4] = (uint8_t)roll(c->dice, roll(c->dice, 4) ? DFU_STATE_MAX_ : 256);
                if (roll(c->dice, 6) == 0)
                        status[0] = (uint8_t)roll(c->dice, roll(c->dice, 4) ? DFU_CODE_MAX_ : 256);
                write_le16(status + 1, (uint16_t)roll(c->dice, 0x10000));
                status[3] = (uint8_t)(roll(c->dice, 10) ? 0 : roll(c->dice, 256));
        }
        if (c->cancelled && roll(c->dice, 4))
                done.result = DFU_CANCELLED;
        if (c->n == 0)
                c->cancelled = false;
        note_truth(c, &a, &done);
        dfu_completed(&c->dfu, &done, c->now_usec);
}

static void somebody_talks_nonsense(struct chaos *c)
{
        struct dfu_completion done = { .tag = roll(c->dice, 200), .result = DFU_DONE, .length = 64 };

        for (size_t i = 0; i < c->n; i++)
                if (c->flights[i].tag == done.tag)
                        return;
        dfu_completed(&c->dfu, &done, c->now_usec);
}

/* ---- the driver ---- */

/* Returns whether the machine has ended. */
static bool pump(struct chaos *c)
{
        struct dfu_action a;

        for (unsigned i = 0; i <= DFU_DEPTH_MAX + 2; i++) {
                dfu_next(&c->dfu, c->now_usec, &a);
                if (a.type == DFU_DO_REQUEST)
                        take_request(c, &a);
                else if (a.type == DFU_DO_CANCEL)
                        c->cancelled = c->n > 0;
                else
                        return a.type == DFU_DO_END;
                check(c, a.type != DFU_DO_CANCEL || c->n > 0, "cancels nothing");
        }
        check(c, false, "asks for more than can be in flight");
        return true;
}

static void something_happens(struct chaos *c)
{
        uint64_t deadline = dfu_deadline(&c->dfu);
        bool sees_deadline = c->n == 0 || roll(c->dice, 200) == 0;

        check(c, c->n > 0 || deadline != USEC_INFINITY, "waits for nothing");
        if (roll(c->dice, 500) == 0)
                dfu_cancel(&c->dfu);
        if (roll(c->dice, 20) == 0)
                somebody_talks_nonsense(c);
        if (sees_deadline && deadline != USEC_INFINITY) {
                c->now_usec = MAX(c->now_usec, deadline);
        } else if (c->n > 0) {
                c->now_usec += roll(c->dice, 10000);
                one_ends(c);
        }
        if (c->now_usec >= dfu_deadline(&c->dfu) || roll(c->dice, 10) == 0)
                dfu_expired(&c->dfu, c->now_usec);
}

enum verdict chaos_run(struct dice *dice)
{
        struct chaos c;
        unsigned steps = 0;

        begin(&c, dice);
        while (!pump(&c)) {
                check_limit(&c);
                something_happens(&c);
                check(&c, ++steps < STEPS_MAX, "does not end");
        }
        check_count(&c);
        check_end(&c);
        check(&c, pump(&c), "goes on after its end");
        return c.dfu.verdict;
}
