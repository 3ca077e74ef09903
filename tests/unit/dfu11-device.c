/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/dfu11-device.h"

static void stall(struct dfu11_device *d, struct rom_reply *ret)
{
        ret->answer = ROM_STALL;
        if (d->state == DFU_MANIFEST_WAIT_RESET)
                return; /* it does nothing more until its reset */
        d->state = DFU_ERROR;
        d->code = DFU_ERR_STALLEDPKT;
        d->violations++;
}

static void take_block(struct dfu11_device *d, const struct rom_setup *setup, const uint8_t *out,
                       uint64_t now)
{
        if (setup->wValue != d->next_block || d->short_block || setup->wLength > d->config.transfer_size ||
            d->len + setup->wLength > sizeof(d->firmware)) {
                d->violations++;
                return;
        }
        memcpy(d->firmware + d->len, out, setup->wLength);
        d->len += setup->wLength;
        d->next_block++;
        d->blocks++;
        d->short_block = setup->wLength < d->config.transfer_size;
        d->done_usec = d->blocks == d->config.never_done_block
                               ? USEC_INFINITY
                               : now + (d->blocks == 1 && d->config.first_block_work_msec > 0
                                                ? d->config.first_block_work_msec
                                                : d->config.block_work_msec) *
                                                 USEC_PER_MSEC;
        d->state = DFU_DNLOAD_SYNC;
}

static void dnload(struct dfu11_device *d, const struct rom_setup *setup, const uint8_t *out, uint64_t now,
                   struct rom_reply *ret)
{
        if (d->state == DFU_IDLE && setup->wLength > 0) {
                d->next_block = setup->wValue;
                d->len = d->blocks = 0;
                d->manifested = d->short_block = false;
                take_block(d, setup, out, now);
        } else if (d->state == DFU_DNLOAD_IDLE && setup->wLength > 0) {
                take_block(d, setup, out, now);
        } else if (d->state == DFU_DNLOAD_IDLE) {
                d->state = DFU_MANIFEST_SYNC;
        } else {
                stall(d, ret);
        }
}

/* Time has passed: what the device does by itself when bwPollTimeout is over. */
static void wake(struct dfu11_device *d, uint64_t now)
{
        if (now < d->silent_until)
                return;
        if (d->state == DFU_DNBUSY)
                d->state = DFU_DNLOAD_SYNC;
        if (d->state == DFU_MANIFEST && now >= d->done_usec) {
                d->manifested = d->config.fails_with == DFU_OK;
                d->state = d->config.tolerant ? DFU_MANIFEST_SYNC : DFU_MANIFEST_WAIT_RESET;
                if (!d->manifested) {
                        d->state = DFU_ERROR;
                        d->code = d->config.fails_with;
                }
        }
}

static uint32_t ask_for_time(struct dfu11_device *d, uint64_t now)
{
        uint64_t left = d->done_usec == USEC_INFINITY ? 1000 : (d->done_usec - now + 999) / USEC_PER_MSEC;
        uint32_t msec = d->config.asks_for_msec ? d->config.asks_for_msec : (uint32_t)left;

        if (d->config.asks_for_no_time)
                return 0;

        d->silent_until = now + msec * USEC_PER_MSEC;
        return msec;
}

/* Where GETSTATUS leads to. Returns bwPollTimeout. */
static uint32_t step(struct dfu11_device *d, uint64_t now)
{
        if (d->state == DFU_DNLOAD_SYNC && d->blocks > 0 && d->blocks == d->config.failing_block) {
                d->state = DFU_ERROR;
                d->code = DFU_ERR_WRITE;
        } else if (d->state == DFU_DNLOAD_SYNC && now >= d->done_usec) {
                d->state = DFU_DNLOAD_IDLE;
        } else if (d->state == DFU_DNLOAD_SYNC) {
                d->state = d->config.says_sync ? DFU_DNLOAD_SYNC : DFU_DNBUSY;
                return ask_for_time(d, now);
        } else if (d->state == DFU_MANIFEST_SYNC && d->manifested) {
                d->state = DFU_IDLE;
        } else if (d->state == DFU_MANIFEST_SYNC) {
                d->state = DFU_MANIFEST;
                d->done_usec = d->config.never_manifests ? USEC_INFINITY
                                                         : now + d->config.manifest_msec * USEC_PER_MSEC;
                return ask_for_time(d, now);
        } else if (d->state == DFU_MANIFEST) {
                return ask_for_time(d, now);
        }
        return 0;
}

static void getstatus(struct dfu11_device *d, uint64_t now, struct rom_reply *ret)
{
        uint32_t poll = step(d, now);
        const uint8_t status[6] = { (uint8_t)d->code,      (uint8_t)poll,     (uint8_t)(poll >> 8),
                                    (uint8_t)(poll >> 16), (uint8_t)d->state, 0 };

        memcpy(ret->data, status, sizeof(status));
        ret->len = sizeof(status);
}

static void back_to_idle(struct dfu11_device *d, bool allowed, struct rom_reply *ret)
{
        if (!allowed) {
                stall(d, ret);
                return;
        }
        d->state = DFU_IDLE;
        d->code = DFU_OK;
}

void dfu11_control(void *device, const struct rom_setup *setup, const uint8_t *out, uint64_t now,
                   struct rom_reply *ret)
{
        struct dfu11_device *d = device;

        *ret = (struct rom_reply){ .answer = ROM_ACK, .delay_usec = d->config.transfer_usec };
        if (now < d->silent_until)
                d->too_early++;
        wake(d, now);
        switch ((enum dfu_request)setup->bRequest) {
        case DFU_DNLOAD:
                dnload(d, setup, out, now, ret);
                break;
        case DFU_GETSTATUS:
                getstatus(d, now, ret);
                break;
        case DFU_CLRSTATUS:
                back_to_idle(d, d->state == DFU_ERROR, ret);
                break;
        case DFU_ABORT:
                back_to_idle(d,
                             d->state == DFU_IDLE || d->state == DFU_DNLOAD_IDLE ||
                                     d->state == DFU_UPLOAD_IDLE || d->state == DFU_DNLOAD_SYNC ||
                                     d->state == DFU_MANIFEST_SYNC,
                             ret);
                break;
        case DFU_DETACH:
        case DFU_UPLOAD:
        case DFU_GETSTATE:
        case DFU_REQUEST_MAX_:
                stall(d, ret);
                break;
        }
        if (ret->answer == ROM_ACK && setup->bRequest == DFU_DNLOAD)
                ret->len = setup->wLength;
}
