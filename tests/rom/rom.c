/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The model's USB side: standard requests, the DFU state machine, and the faults. docs/rom-dfu.md, "The state machine". */
#include "tests/rom/rom-internal.h"

#include <stdio.h>

#define REBOOT_USEC   50000 /* from a bus reset in DFU mode until it is back in run-time mode */
#define FLASH_UPLOAD  (4 * MIB)
#define TYPE_MASK     0x60
#define TYPE_STANDARD 0x00
#define TYPE_CLASS    0x20
#define TO_DEVICE     0x00
#define TO_INTERFACE  0x01
#define TO_ENDPOINT   0x02

enum {
        GET_STATUS = 0,
        CLEAR_FEATURE = 1,
        SET_FEATURE = 3,
        SET_ADDRESS = 5,
        GET_DESCRIPTOR = 6,
        GET_CONFIGURATION = 8,
        SET_CONFIGURATION = 9,
        GET_INTERFACE = 10,
        SET_INTERFACE = 11,
};

const struct rom_timing rom_timing_realistic = {
        .transfer_usec = 80,
        .erase_sector_usec = 9400,
        .write_page_usec = 400,
        .verify_usec_per_mib = 1500 * USEC_PER_MSEC,
};

struct rom *rom_new(const struct rom_config *config)
{
        _cleanup_(rom_freep) struct rom *rom = calloc(1, sizeof(*rom));
        uint32_t size = config->flash_size ? config->flash_size : ROM_FLASH_SIZE;
        const uint8_t *m = config->mac;

        if (!rom || flash_init(&rom->flash, size) < 0)
                return NULL;
        rom->config = *config;
        snprintf(rom->serial, sizeof(rom->serial), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3],
                 m[4], m[5]);
        rom_power_off(rom);
        rom->wants_dfu_mode = config->starts_in_dfu_mode;
        rom_attach(rom);
        return take_ptr(rom);
}

struct rom *rom_free(struct rom *rom)
{
        if (rom)
                flash_done(&rom->flash);
        free(rom);
        return NULL;
}

void rom_power_off(struct rom *rom)
{
        memset(&rom->archive, 0, sizeof(rom->archive));
        rom->chip_size = rom->flash.size;
        rom->wants_dfu_mode = false;
        rom->hung = false;
        rom->configured = false;
        rom->away = true;
}

void rom_attach(struct rom *rom)
{
        rom->away = false;
        rom->configured = false;
        rom->in_dfu_mode = rom->wants_dfu_mode;
        rom->state = rom->in_dfu_mode ? ROM_DFU_IDLE : ROM_APP_IDLE;
        rom->status = ROM_OK;
}

void rom_set_configured(struct rom *rom)
{
        rom->configured = true;
}

void rom_bus_reset(struct rom *rom, struct rom_reply *ret)
{
        *ret = (struct rom_reply){ .answer = ROM_ACK };
        if (!rom->in_dfu_mode || !rom->configured) {
                rom->counters.runtime_resets += !rom->in_dfu_mode;
                return;
        }
        rom->counters.resets++;
        rom_power_off(rom);
        ret->answer = ROM_VANISH;
        ret->away_usec = rom->config.application_after_reset ? USEC_INFINITY : REBOOT_USEC;
}

struct rom_setup rom_setup_parse(const uint8_t bytes[static 8])
{
        return (struct rom_setup){
                .bmRequestType = bytes[0],
                .bRequest = bytes[1],
                .wValue = read_le16(bytes + 2),
                .wIndex = read_le16(bytes + 4),
                .wLength = read_le16(bytes + 6),
        };
}

void rom_stall(struct rom *rom, struct rom_reply *ret)
{
        ret->answer = ROM_STALL;
        ret->len = 0;
        rom->counters.stalls++;
}

static void answer(const struct rom_setup *setup, struct rom_reply *ret, const void *data, size_t len)
{
        ret->len = MIN(len, (size_t)setup->wLength);
        memcpy(ret->data, data, ret->len);
}

/* ---- standard and CDC requests ---------------------------------------------- */

static void get_descriptor(struct rom *rom, const struct rom_setup *setup, struct rom_reply *ret)
{
        uint8_t descriptor[ROM_REPLY_MAX];
        int len = rom_get_descriptor(rom, setup->wValue, descriptor);

        if (len < 0 || setup->bmRequestType != (DIRECTION_IN | TO_DEVICE))
                rom_stall(rom, ret);
        else
                answer(setup, ret, descriptor, (size_t)len);
}

static void standard_request(struct rom *rom, const struct rom_setup *setup, struct rom_reply *ret)
{
        static const uint8_t nothing[2] = { 0 };
        uint8_t configured = rom->configured;

        switch (setup->bRequest) {
        case GET_STATUS:
                answer(setup, ret, nothing, 2);
                return;
        case GET_DESCRIPTOR:
                get_descriptor(rom, setup, ret);
                return;
        case GET_CONFIGURATION:
                answer(setup, ret, &configured, 1);
                return;
        case SET_CONFIGURATION:
                if (setup->wValue > 1)
                        rom_stall(rom, ret);
                else
                        rom->configured = setup->wValue == 1;
                return;
        case GET_INTERFACE:
                answer(setup, ret, nothing, 1);
                return;
        case SET_INTERFACE: /* there is no other alternate setting than 0 */
                if (setup->wValue != 0 || setup->wIndex > 2)
                        rom_stall(rom, ret);
                return;
        case CLEAR_FEATURE:
        case SET_FEATURE:
        case SET_ADDRESS:
                return;
        }
        rom_stall(rom, ret);
}

/* SET_LINE_CODING to SEND_BREAK: an ACM console that nobody reads. */
static void cdc_request(struct rom *rom, const struct rom_setup *setup, struct rom_reply *ret)
{
        static const uint8_t line_coding[7] = { 0x00, 0xc2, 0x01, 0x00, 0, 0, 8 }; /* 115200 8N1 */

        switch (setup->bRequest) {
        case 0x21:
                answer(setup, ret, line_coding, sizeof(line_coding));
                return;
        case 0x20:
        case 0x22:
        case 0x23:
                return;
        }
        rom_stall(rom, ret);
}

/* ---- the DFU state machine --------------------------------------------------- */

static bool in_application(const struct rom *rom)
{
        return rom->state == ROM_APP_IDLE || rom->state == ROM_APP_DETACH;
}

static void apply_pending_error(struct rom *rom)
{
        if (rom->archive.error == ROM_OK)
                return;
        rom->state = ROM_DFU_ERROR;
        rom->status = rom->archive.error;
}

static void refuse(struct rom *rom, struct rom_reply *ret)
{
        rom->state = ROM_DFU_ERROR;
        rom->status = ROM_ERR_UNKNOWN;
        rom_stall(rom, ret);
}

static void do_detach(struct rom *rom, struct rom_reply *ret)
{
        if (rom->state != ROM_APP_IDLE) {
                rom->state = ROM_APP_IDLE;
                rom_stall(rom, ret);
                return;
        }
        rom->state = ROM_APP_DETACH;
        rom->wants_dfu_mode = true;
        rom->away = true;
        rom->counters.detaches++;
        ret->answer = ROM_VANISH;
        ret->away_usec = rom->config.detach_usec ? rom->config.detach_usec : ROM_DETACH_USEC;
}

static void do_dnload(struct rom *rom, const struct rom_setup *setup, const uint8_t *out,
                      struct rom_reply *ret)
{
        if (in_application(rom)) {
                rom_stall(rom, ret);
                return;
        }
        if ((rom->state != ROM_DFU_IDLE && rom->state != ROM_DFU_DNLOAD_IDLE) ||
            (setup->bmRequestType & DIRECTION_IN)) {
                refuse(rom, ret);
                return;
        }
        if (rom->state == ROM_DFU_IDLE)
                archive_begin(rom);
        if (setup->wLength > 0) {
                archive_feed(rom, out, MIN((size_t)setup->wLength, (size_t)ROM_TRANSFER_SIZE));
                rom->counters.blocks++;
                rom->state = ROM_DFU_DNLOAD_IDLE;
        } else {
                archive_finish(rom);
                rom->counters.manifests++;
                rom->state = ROM_DFU_MANIFEST_SYNC;
        }
}

/* There is one alternate setting, 0: from the flash's start, 4 MiB. */
static void do_upload(struct rom *rom, const struct rom_setup *setup, struct rom_reply *ret)
{
        uint32_t at;

        if (in_application(rom)) {
                rom_stall(rom, ret);
                return;
        }
        if (rom->state == ROM_DFU_IDLE)
                rom->upload_block = 0;
        else if (rom->state != ROM_DFU_UPLOAD_IDLE) {
                refuse(rom, ret);
                return;
        }
        if (setup->wValue != rom->upload_block) {
                refuse(rom, ret);
                return;
        }
        at = (uint32_t)rom->upload_block * ROM_TRANSFER_SIZE;
        ret->len = at < FLASH_UPLOAD ? MIN((size_t)setup->wLength, (size_t)ROM_TRANSFER_SIZE) : 0;
        flash_read(&rom->flash, at, ret->data, ret->len);
        rom->upload_block++;
        rom->state = ret->len < ROM_TRANSFER_SIZE ? ROM_DFU_IDLE : ROM_DFU_UPLOAD_IDLE;
}

static void do_getstatus(struct rom *rom, const struct rom_setup *setup, struct rom_reply *ret)
{
        uint8_t status[6] = { 0 };

        if (rom->state == ROM_DFU_MANIFEST_SYNC)
                rom->state = ROM_DFU_IDLE;
        if (!in_application(rom))
                apply_pending_error(rom);
        status[0] = (uint8_t)rom->status;
        write_le16(status + 1, ROM_POLL_TIMEOUT_MSEC);
        status[4] = (uint8_t)rom->state;
        answer(setup, ret, status, sizeof(status));
}

static void do_getstate(struct rom *rom, const struct rom_setup *setup, struct rom_reply *ret)
{
        uint8_t state;

        if (!in_application(rom))
                apply_pending_error(rom);
        state = (uint8_t)rom->state;
        answer(setup, ret, &state, 1);
}

static void back_to_idle(struct rom *rom, bool clear_updater, struct rom_reply *ret)
{
        if (in_application(rom)) {
                rom_stall(rom, ret);
                return;
        }
        if (clear_updater)
                rom->archive.error = ROM_OK;
        rom->state = ROM_DFU_IDLE;
        rom->status = ROM_OK;
}

static void dfu_request(struct rom *rom, const struct rom_setup *setup, const uint8_t *out,
                        struct rom_reply *ret)
{
        enum rom_request request = (enum rom_request)setup->bRequest;

        if (in_application(rom) && request != ROM_DETACH)
                rom->state = ROM_APP_IDLE;
        if (setup->wLength > ROM_TRANSFER_SIZE)
                rom->counters.violations++;
        switch (request) {
        case ROM_DETACH:
                do_detach(rom, ret);
                break;
        case ROM_DNLOAD:
                do_dnload(rom, setup, out, ret);
                break;
        case ROM_UPLOAD:
                do_upload(rom, setup, ret);
                break;
        case ROM_GETSTATUS:
                do_getstatus(rom, setup, ret);
                break;
        case ROM_CLRSTATUS:
                back_to_idle(rom, true, ret);
                break;
        case ROM_GETSTATE:
                do_getstate(rom, setup, ret);
                break;
        case ROM_ABORT:
                back_to_idle(rom, false, ret);
                break;
        case ROM_N_REQUESTS:
                break;
        }
}

/* ---- from outside ------------------------------------------------------------ */

static void carry_out(struct rom *rom, const struct rom_setup *setup, const uint8_t *out, bool dfu,
                      struct rom_reply *ret)
{
        uint8_t type = setup->bmRequestType & TYPE_MASK;

        if (dfu)
                dfu_request(rom, setup, out, ret);
        else if (type == TYPE_STANDARD)
                standard_request(rom, setup, ret);
        else if (type == TYPE_CLASS)
                cdc_request(rom, setup, ret);
        else
                rom_stall(rom, ret);
        if (ret->answer == ROM_ACK && !(setup->bmRequestType & DIRECTION_IN))
                ret->len = setup->wLength;
}

void rom_control(struct rom *rom, const struct rom_setup *setup, const uint8_t *out, struct rom_reply *ret)
{
        bool dfu = (setup->bmRequestType & TYPE_MASK) == TYPE_CLASS && setup->bRequest < ROM_N_REQUESTS;

        *ret = (struct rom_reply){ .answer = ROM_ACK };
        rom->work_usec = rom->config.timing.transfer_usec;
        if (rom->away) {
                *ret = (struct rom_reply){ .answer = ROM_VANISH, .away_usec = USEC_INFINITY };
                return;
        }
        if (rom->hung) {
                ret->answer = ROM_SILENCE;
                return;
        }
        faults_count(rom, setup, dfu);
        if (faults_before(rom, setup, dfu, ret)) {
                carry_out(rom, setup, out, dfu, ret);
                faults_after(rom, setup, dfu, ret);
        }
        ret->delay_usec = rom->work_usec;
}

const struct rom_counters *rom_counters(const struct rom *rom)
{
        return &rom->counters;
}

enum rom_state rom_state(const struct rom *rom)
{
        return rom->state;
}

enum rom_status rom_pending_error(const struct rom *rom)
{
        return rom->archive.error;
}

bool rom_in_dfu_mode(const struct rom *rom)
{
        return rom->in_dfu_mode;
}

const char *rom_state_to_string(enum rom_state state)
{
        static const char *const words[] = {
                [ROM_APP_IDLE] = "appIDLE",
                [ROM_APP_DETACH] = "appDETACH",
                [ROM_DFU_IDLE] = "dfuIDLE",
                [ROM_DFU_DNLOAD_SYNC] = "dfuDNLOAD-SYNC",
                [ROM_DFU_DNBUSY] = "dfuDNBUSY",
                [ROM_DFU_DNLOAD_IDLE] = "dfuDNLOAD-IDLE",
                [ROM_DFU_MANIFEST_SYNC] = "dfuMANIFEST-SYNC",
                [ROM_DFU_MANIFEST] = "dfuMANIFEST",
                [ROM_DFU_MANIFEST_WAIT_RESET] = "dfuMANIFEST-WAIT-RESET",
                [ROM_DFU_UPLOAD_IDLE] = "dfuUPLOAD-IDLE",
                [ROM_DFU_ERROR] = "dfuERROR",
        };

        return words[state];
}
