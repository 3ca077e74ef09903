/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What goes wrong with a board on request: strikes at a DFU request, before it is carried out or on its answer. */
#include "tests/rom/rom-internal.h"

void faults_count(struct rom *rom, const struct rom_setup *setup)
{
        rom->counters.requests[setup->bRequest]++;
        rom->seen[setup->bRequest]++;
        rom->seen_any++;
        if (setup->bRequest == ROM_DNLOAD && setup->wLength > 0)
                rom->seen_blocks++;
        else if (setup->bRequest == ROM_DNLOAD)
                rom->seen_manifests++;
}

/* Whether the fault's moment is this request, which has just been counted. */
static bool fault_strikes(const struct rom *rom, const struct rom_fault *fault, const struct rom_setup *setup)
{
        bool is_dnload = setup->bRequest == ROM_DNLOAD;
        unsigned seen = 0;

        switch (fault->when) {
        case ROM_AT_REQUEST:
                seen = setup->bRequest == fault->request ? rom->seen[setup->bRequest] : 0;
                break;
        case ROM_AT_BLOCK:
                seen = is_dnload && setup->wLength > 0 ? rom->seen_blocks : 0;
                break;
        case ROM_AT_MANIFEST:
                seen = is_dnload && setup->wLength == 0 ? rom->seen_manifests : 0;
                break;
        case ROM_AT_ANY:
                seen = rom->seen_any;
                break;
        }
        return seen > 0 && (fault->nth == 0 || fault->nth == seen);
}

/* What comes before the request is carried out. False: it is not. */
static bool fault_before(struct rom *rom, const struct rom_fault *fault, struct rom_reply *ret)
{
        switch (fault->what) {
        case ROM_DO_STALL:
                rom_stall(rom, ret);
                return false;
        case ROM_DO_HANG:
                rom->hung = true;
                ret->answer = ROM_SILENCE;
                return false;
        case ROM_DO_LOSE:
                ret->answer = ROM_SILENCE;
                return false;
        case ROM_DO_ERROR:
                rom->archive.error = (enum rom_status)fault->value;
                return true;
        case ROM_DO_UNPLUG:
                rom_power_off(rom);
                ret->answer = ROM_VANISH;
                ret->away_usec = fault->value ? fault->value : USEC_INFINITY;
                return false;
        case ROM_DO_FLIP_BIT:
                flash_flip_bit(&rom->flash, fault->value);
                return true;
        case ROM_DO_DELAY:
                rom->work_usec += fault->value;
                return true;
        case ROM_DO_SHORTEN:
        case ROM_DO_STATE:
        case ROM_DO_STATUS:
        case ROM_DO_POLL_TIME:
                return true;
        }
        return true;
}

/* What the answer of a request that was carried out is turned into. */
static void fault_after(const struct rom_fault *fault, const struct rom_setup *setup, struct rom_reply *ret)
{
        bool getstatus = setup->bRequest == ROM_GETSTATUS, in = setup->bmRequestType & DIRECTION_IN;

        if (ret->answer != ROM_ACK)
                return;
        switch (fault->what) {
        case ROM_DO_SHORTEN:
                ret->len = in ? MIN(ret->len, (size_t)fault->value) : ret->len;
                break;
        case ROM_DO_STATE:
                if (getstatus)
                        ret->data[4] = (uint8_t)fault->value;
                else if (setup->bRequest == ROM_GETSTATE)
                        ret->data[0] = (uint8_t)fault->value;
                break;
        case ROM_DO_STATUS:
                if (getstatus)
                        ret->data[0] = (uint8_t)fault->value;
                break;
        case ROM_DO_POLL_TIME:
                if (getstatus) {
                        write_le16(ret->data + 1, (uint16_t)fault->value);
                        ret->data[3] = (uint8_t)(fault->value >> 16);
                }
                break;
        case ROM_DO_STALL:
        case ROM_DO_LOSE:
        case ROM_DO_HANG:
        case ROM_DO_ERROR:
        case ROM_DO_UNPLUG:
        case ROM_DO_FLIP_BIT:
        case ROM_DO_DELAY:
                break;
        }
}

bool faults_before(struct rom *rom, const struct rom_setup *setup, struct rom_reply *ret)
{
        for (size_t i = 0; i < rom->n_faults; i++)
                if (fault_strikes(rom, &rom->faults[i], setup) && !fault_before(rom, &rom->faults[i], ret))
                        return false;
        return true;
}

void faults_after(const struct rom *rom, const struct rom_setup *setup, struct rom_reply *ret)
{
        for (size_t i = 0; i < rom->n_faults; i++)
                if (fault_strikes(rom, &rom->faults[i], setup))
                        fault_after(&rom->faults[i], setup, ret);
}

void rom_add_fault(struct rom *rom, const struct rom_fault *fault)
{
        if (rom->n_faults == ARRAY_SIZE(rom->faults))
                abort();
        rom->faults[rom->n_faults++] = *fault;
}

void rom_clear_faults(struct rom *rom)
{
        rom->n_faults = 0;
        memset(rom->seen, 0, sizeof(rom->seen));
        rom->seen_blocks = rom->seen_manifests = rom->seen_any = 0;
}
