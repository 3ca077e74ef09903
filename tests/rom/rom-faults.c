/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What goes wrong with a board on request: strikes at a request, before it is carried out or on its answer. */
#include "tests/rom/rom-internal.h"

static void count_dnload(struct rom *rom, bool empty)
{
        if (empty) {
                rom->seen_manifests++;
                return;
        }
        if (rom->state == ROM_DFU_IDLE) {
                rom->archive_blocks = 0;
                rom->told_of_archive = (struct span){ 0 };
        }
        rom->archive_blocks++;
        rom->seen_blocks++;
}

static void count_getstatus(struct rom *rom)
{
        rom->told = (struct span){ rom->told.to, rom->seen_blocks };
        rom->told_of_archive = (struct span){ rom->told_of_archive.to, rom->archive_blocks };
        rom->tells_result = rom->state == ROM_DFU_MANIFEST_SYNC;
        rom->seen_results += rom->tells_result;
}

void faults_count(struct rom *rom, const struct rom_setup *setup, bool dfu)
{
        rom->tells_result = false;
        if (!dfu) {
                rom->counters.others++;
                rom->seen_others++;
                return;
        }
        rom->counters.requests[setup->bRequest]++;
        rom->seen[setup->bRequest]++;
        rom->seen_any++;
        if (setup->bRequest == ROM_DNLOAD)
                count_dnload(rom, setup->wLength == 0);
        else if (setup->bRequest == ROM_GETSTATUS)
                count_getstatus(rom);
}

static struct span just(bool is_one, unsigned number)
{
        return is_one ? (struct span){ number - 1, number } : (struct span){ 0 };
}

/* Of what a fault counts, those that the request is which has just been counted. */
static struct span numbers_of(const struct rom *rom, const struct rom_fault *fault,
                              const struct rom_setup *setup, bool dfu)
{
        bool is_dnload = dfu && setup->bRequest == ROM_DNLOAD;

        switch (fault->when) {
        case ROM_AT_REQUEST:
                return just(dfu && setup->bRequest == fault->request, rom->seen[fault->request]);
        case ROM_AT_BLOCK:
                return just(is_dnload && setup->wLength > 0,
                            fault->each_archive ? rom->archive_blocks : rom->seen_blocks);
        case ROM_AT_MANIFEST:
                return just(is_dnload && setup->wLength == 0, rom->seen_manifests);
        case ROM_AT_ANY:
                return just(dfu, rom->seen_any);
        case ROM_AT_OTHER:
                return just(!dfu, rom->seen_others);
        case ROM_AT_STATUS:
                if (!dfu || setup->bRequest != ROM_GETSTATUS)
                        return (struct span){ 0 };
                return fault->each_archive ? rom->told_of_archive : rom->told;
        case ROM_AT_RESULT:
                return just(rom->tells_result, rom->seen_results);
        }
        return (struct span){ 0 };
}

static bool fault_strikes(const struct rom *rom, const struct rom_fault *fault, const struct rom_setup *setup,
                          bool dfu)
{
        struct span numbers = numbers_of(rom, fault, setup, dfu);

        if (numbers.from >= numbers.to)
                return false;
        return fault->nth == 0 || (fault->nth > numbers.from && fault->nth <= numbers.to);
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
static void fault_after(const struct rom_fault *fault, const struct rom_setup *setup, bool dfu,
                        struct rom_reply *ret)
{
        bool getstatus = dfu && setup->bRequest == ROM_GETSTATUS;

        if (ret->answer != ROM_ACK)
                return;
        switch (fault->what) {
        case ROM_DO_SHORTEN:
                ret->len = MIN(ret->len, (size_t)fault->value);
                break;
        case ROM_DO_STATE:
                if (getstatus)
                        ret->data[4] = (uint8_t)fault->value;
                else if (dfu && setup->bRequest == ROM_GETSTATE)
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

bool faults_before(struct rom *rom, const struct rom_setup *setup, bool dfu, struct rom_reply *ret)
{
        for (size_t i = 0; i < rom->n_faults; i++) {
                if (!fault_strikes(rom, &rom->faults[i], setup, dfu))
                        continue;
                rom->counters.strikes++;
                if (!fault_before(rom, &rom->faults[i], ret))
                        return false;
        }
        return true;
}

void faults_after(const struct rom *rom, const struct rom_setup *setup, bool dfu, struct rom_reply *ret)
{
        for (size_t i = 0; i < rom->n_faults; i++)
                if (fault_strikes(rom, &rom->faults[i], setup, dfu))
                        fault_after(&rom->faults[i], setup, dfu, ret);
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
        rom->seen_blocks = rom->seen_manifests = rom->seen_any = rom->seen_others = rom->seen_results = 0;
        rom->archive_blocks = 0;
        rom->told = rom->told_of_archive = (struct span){ 0 };
}
