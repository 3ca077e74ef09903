/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A device, a bus and a driver that do anything that the types allow: completions in any order, any answer at any time,
 * SIGTERM and the clock whenever they like. Whatever happens the machine comes to an end, and keeps its rules.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/dfu.h"

#define RUNS      20000
#define STEPS_MAX 20000

struct chaos {
        uint64_t seed; /* of this run: in a failure's text */
        uint64_t random;
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
        size_t taken; /* bytes of blocks that ended well */
};

/* xorshift64*: the same on every machine. */
static uint32_t roll(struct chaos *c, uint32_t sides)
{
        c->random ^= c->random >> 12;
        c->random ^= c->random << 25;
        c->random ^= c->random >> 27;
        return (uint32_t)((c->random * UINT64_C(2685821657736338717)) >> 33) % sides;
}

static void begin(struct chaos *c, uint64_t seed)
{
        struct dfu_params p = { 0 };

        *c = (struct chaos){ .seed = seed, .random = seed * 0x9e3779b97f4a7c15 + 1, .now_usec = 1 };
        c->tameness = roll(c, 5) * 25 - (roll(c, 2) ? 1 : 0);
        c->tameness = MIN(c->tameness, 99U);
        c->in_order = roll(c, 2);
        c->device = DFU_IDLE;
        p.profile = roll(c, 2) ? DFU_PROFILE_ROM : DFU_PROFILE_DFU11;
        p.size = 1 + roll(c, 3000);
        p.transfer_size = (uint16_t)(1 + roll(c, 128));
        p.manifestation_tolerant = roll(c, 2);
        p.depth = roll(c, 3) ? roll(c, 9) : 64;
        p.status_every = roll(c, 70);
        p.verify_bytes = p.size;
        dfu_start(&c->dfu, &p);
        if (roll(c, 10) == 0)
                dfu_start_detach(&c->dfu, (uint16_t)roll(c, 0x10000));
}

/* ---- what must hold ---- */

static void check(const struct chaos *c, bool rule, const char *what)
{
        if (!rule)
                fail_msg("seed %llu: %s", (unsigned long long)c->seed, what);
}

static void take_request(struct chaos *c, const struct dfu_action *a)
{
        const struct dfu_params *p = &c->dfu.params;

        check(c, !c->cancelled, "submits while cancelled transfers are out");
        check(c, c->n < MAX(p->depth, 1U), "more in flight than the depth");
        check(c, a->tag < DFU_DEPTH_MAX, "a tag out of range");
        for (size_t i = 0; i < c->n; i++)
                check(c, c->flights[i].tag != a->tag, "a tag twice in flight");
        if (a->request == DFU_ABORT || a->request == DFU_CLRSTATUS)
                check(c, c->n == 0, "ABORT or CLRSTATUS with something in flight");
        if (a->request == DFU_DNLOAD) {
                check(c, a->length <= p->transfer_size && a->offset + a->length <= p->size,
                      "a block outside");
                check(c, a->length > 0 || (a->offset == p->size && c->ok_before_empty),
                      "the empty DNLOAD without dfuDNLOAD-IDLE, OK before it");
                check(c, a->length > 0 || c->n == 0, "the empty DNLOAD with something in flight");
        }
        c->flights[c->n++] = *a;
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
        size_t which = c->in_order || roll(c, 4) > 0 ? 0 : roll(c, (uint32_t)c->n);
        struct dfu_action a = c->flights[which];
        uint8_t status[6] = { 0 };
        struct dfu_completion done = { .tag = a.tag, .length = a.length, .data = status };

        memmove(&c->flights[which], &c->flights[which + 1], (c->n - which - 1) * sizeof(a));
        c->n--;
        good_answer(c, &a, status);
        if (roll(c, 100) >= c->tameness) {
                if (roll(c, 3) == 0)
                        done.result = (enum dfu_result)roll(c, DFU_BUS_ERROR + 1);
                if (roll(c, 4) == 0)
                        done.length = roll(c, a.length + 1U);
                if (roll(c, 3) == 0)
                        status[4] = (uint8_t)roll(c, roll(c, 4) ? DFU_STATE_MAX_ : 256);
                if (roll(c, 6) == 0)
                        status[0] = (uint8_t)roll(c, roll(c, 4) ? DFU_CODE_MAX_ : 256);
                write_le16(status + 1, (uint16_t)roll(c, 0x10000));
                status[3] = (uint8_t)(roll(c, 10) ? 0 : roll(c, 256));
        }
        if (c->cancelled && roll(c, 4))
                done.result = DFU_CANCELLED;
        if (c->n == 0)
                c->cancelled = false;
        note_truth(c, &a, &done);
        dfu_completed(&c->dfu, &done, c->now_usec);
}

static void somebody_talks_nonsense(struct chaos *c)
{
        struct dfu_completion done = { .tag = roll(c, 200), .result = DFU_DONE, .length = 64 };

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
        bool sees_deadline = c->n == 0 || roll(c, 200) == 0;

        check(c, c->n > 0 || deadline != USEC_INFINITY, "waits for nothing");
        if (roll(c, 500) == 0)
                dfu_cancel(&c->dfu);
        if (roll(c, 20) == 0)
                somebody_talks_nonsense(c);
        if (sees_deadline && deadline != USEC_INFINITY) {
                c->now_usec = MAX(c->now_usec, deadline);
        } else if (c->n > 0) {
                c->now_usec += roll(c, 10000);
                one_ends(c);
        }
        if (c->now_usec >= dfu_deadline(&c->dfu) || roll(c, 10) == 0)
                dfu_expired(&c->dfu, c->now_usec);
}

/* Returns the verdict. */
static enum verdict run(uint64_t seed)
{
        struct chaos c;
        unsigned steps = 0;

        begin(&c, seed);
        while (!pump(&c)) {
                something_happens(&c);
                check(&c, ++steps < STEPS_MAX, "does not end");
        }
        check_end(&c);
        check(&c, pump(&c), "goes on after its end");
        return c.dfu.verdict;
}

static void test_any_device_comes_to_an_end_within_the_rules(void **state)
{
        unsigned verdicts[VERDICT_MAX_] = { 0 };

        (void)state;
        for (uint64_t seed = 1; seed <= RUNS; seed++)
                verdicts[run(seed)]++;
        /* The chaos is neither so wild nor so tame that a way is never gone. */
        assert_in_range(verdicts[VERDICT_FLASHED], RUNS / 50, RUNS / 2);
        assert_true(verdicts[VERDICT_DETACHED] > 0);
        assert_true(verdicts[VERDICT_CANCELLED] > 0);
        assert_true(verdicts[VERDICT_BOARD_LEFT] > 0);
        assert_true(verdicts[VERDICT_TIMED_OUT] > 0);
        assert_true(verdicts[VERDICT_STALLED] > 0);
        assert_true(verdicts[VERDICT_BOARD_ERROR] > 0);
        assert_true(verdicts[VERDICT_VERIFY_FAILED] > 0);
        assert_true(verdicts[VERDICT_BAD_ANSWER] > 0);
        assert_true(verdicts[VERDICT_USB_ERROR] > 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_any_device_comes_to_an_end_within_the_rules),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
