/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the answer to a GETSTATUS means, stage by stage. */
#include <inttypes.h>
#include <stdio.h>

#include "core/dfu-internal.h"

static bool status_is(const struct dfu_status *status, enum dfu_state state)
{
        return status->code == DFU_OK && status->state == state;
}

static bool status_is_error(const struct dfu_status *status)
{
        return status->code != DFU_OK || status->state == DFU_ERROR;
}

/* dfu11: the device asks for time. Asks again after bwPollTimeout, within a bound. */
static void wait_for_device(struct dfu *dfu, uint64_t now_usec)
{
        uint64_t wait = MAX(dfu->status.poll_timeout_ms * USEC_PER_MSEC, DFU_POLL_MIN);
        uint64_t limit = MAX((uint64_t)DFU_POLL_LIMIT, dfu_verify_limit(dfu->params.verify_bytes));

        if (dfu->busy_since_usec == USEC_INFINITY)
                dfu->busy_since_usec = now_usec;
        if (wait > DFU_POLL_LIMIT || now_usec - dfu->busy_since_usec > limit) {
                dfu_end_with(dfu, VERDICT_TIMED_OUT,
                             "stays in %s (asks for %" PRIu32 " ms more): given up after %" PRIu64 " s",
                             dfu_state_to_string(dfu->status.state), dfu->status.poll_timeout_ms,
                             (now_usec - dfu->busy_since_usec) / USEC_PER_SEC);
                return;
        }
        dfu->asked = false;
        dfu->since_status = dfu->params.status_every; /* in the send stage: a GETSTATUS is due, not a block */
        dfu->poll_usec = now_usec + wait;
}

static bool device_is_busy(const struct dfu *dfu)
{
        const struct dfu_status *s = &dfu->status;

        return dfu->params.profile == DFU_PROFILE_DFU11 && s->code == DFU_OK &&
               (s->state == DFU_DNLOAD_SYNC || s->state == DFU_DNBUSY || s->state == DFU_MANIFEST_SYNC ||
                s->state == DFU_MANIFEST);
}

static void bad_state(struct dfu *dfu, const char *expected)
{
        dfu_end_with(dfu, VERDICT_BAD_ANSWER, "answered %s, %s at byte %zu of %zu: expected %s",
                     dfu_state_to_string(dfu->status.state), dfu_code_to_string(dfu->status.code),
                     dfu->bytes_done, dfu->params.size, expected);
}

static void met(struct dfu *dfu, uint64_t now_usec)
{
        const struct dfu_status *s = &dfu->status;

        if (status_is(s, DFU_IDLE)) {
                dfu_enter(dfu, DFU_STAGE_SEND);
        } else if (device_is_busy(dfu)) {
                wait_for_device(dfu, now_usec);
        } else if (dfu->stage == DFU_STAGE_MEET_AGAIN && status_is_error(s)) {
                dfu_end_with(dfu, VERDICT_BOARD_ERROR, "board reports %s before the first byte, after %s too",
                             dfu_code_to_string(s->code), dfu_request_to_string(dfu->clear_with));
        } else if (dfu->stage == DFU_STAGE_MEET_AGAIN || s->state == DFU_APP_IDLE ||
                   s->state == DFU_APP_DETACH) {
                bad_state(dfu, "dfuIDLE, OK");
        } else {
                /* DFU 1.1 has CLRSTATUS for dfuERROR alone. The ROM takes it anywhere, and only it clears the
                 * updater's error. */
                bool only_abort = dfu->params.profile == DFU_PROFILE_DFU11 && !status_is_error(s);

                dfu->clear_with = only_abort ? DFU_ABORT : DFU_CLRSTATUS;
                dfu_enter(dfu, DFU_STAGE_CLEAR);
        }
}

static void sent(struct dfu *dfu, const struct dfu_flight *flight, uint64_t now_usec)
{
        const struct dfu_status *s = &dfu->status;

        if (status_is(s, DFU_DNLOAD_IDLE)) {
                dfu->checked_offset = flight->offset;
                dfu->busy_since_usec = USEC_INFINITY;
                if (dfu->checked_offset == dfu->params.size)
                        dfu_enter(dfu, DFU_STAGE_MANIFEST);
        } else if (device_is_busy(dfu)) {
                wait_for_device(dfu, now_usec);
        } else if (status_is_error(s)) {
                dfu_end_with(dfu, VERDICT_BOARD_ERROR, "board reports %s between bytes %zu and %zu of %zu",
                             dfu_code_to_string(s->code), dfu->checked_offset, flight->offset,
                             dfu->params.size);
        } else {
                bad_state(dfu, "dfuDNLOAD-IDLE, OK");
        }
}

static void result(struct dfu *dfu, uint64_t now_usec)
{
        const struct dfu_status *s = &dfu->status;
        bool dfu11 = dfu->params.profile == DFU_PROFILE_DFU11;
        /* A device that is not manifestation tolerant starts its new firmware and does not come back to dfuIDLE. */
        bool manifests = dfu11 && !dfu->params.manifestation_tolerant && s->code == DFU_OK &&
                         (s->state == DFU_MANIFEST || s->state == DFU_MANIFEST_WAIT_RESET);

        if (status_is(s, DFU_IDLE) || manifests)
                dfu_end_with(dfu, VERDICT_FLASHED, "%zu bytes", dfu->params.size);
        else if (device_is_busy(dfu))
                wait_for_device(dfu, now_usec);
        else if (status_is_error(s))
                dfu_end_with(dfu, VERDICT_VERIFY_FAILED,
                             "board reports %s after reading back what it had written%s",
                             dfu_code_to_string(s->code),
                             s->code == DFU_ERR_FIRMWARE ? ": flash does not hold the image" : "");
        else
                bad_state(dfu, "dfuIDLE, OK");
}

/* After a stall or a bus error the verdict stands; a GETSTATUS that still comes through says more. */
static void cause(struct dfu *dfu)
{
        size_t used = strlen(dfu->message);

        if (status_is_error(&dfu->status))
                dfu->verdict = VERDICT_BOARD_ERROR;
        snprintf(dfu->message + used, sizeof(dfu->message) - used, ": board is in %s, %s",
                 dfu_state_to_string(dfu->status.state), dfu_code_to_string(dfu->status.code));
        dfu_enter(dfu, DFU_STAGE_END);
}

void dfu_status_answered(struct dfu *dfu, const struct dfu_flight *flight, const struct dfu_completion *c,
                         uint64_t now_usec)
{
        if (dfu_status_parse(c->data, c->length, &dfu->status) < 0) {
                dfu_end_with(dfu, VERDICT_BAD_ANSWER,
                             "answered GETSTATUS at byte %zu of %zu with %zu bytes that make no sense: "
                             "expected 6 with a state of DFU 1.1",
                             dfu->bytes_done, dfu->params.size, c->length);
                return;
        }
        dfu->has_status = true;
        switch (dfu->stage) {
        case DFU_STAGE_MEET:
        case DFU_STAGE_MEET_AGAIN:
                met(dfu, now_usec);
                break;
        case DFU_STAGE_SEND:
                sent(dfu, flight, now_usec);
                break;
        case DFU_STAGE_RESULT:
                result(dfu, now_usec);
                break;
        case DFU_STAGE_CAUSE:
                cause(dfu);
                break;
        case DFU_STAGE_DETACH:
        case DFU_STAGE_CLEAR:
        case DFU_STAGE_MANIFEST:
        case DFU_STAGE_ABORT:
        case DFU_STAGE_END:
                break; /* these stages ask for no status */
        }
}
