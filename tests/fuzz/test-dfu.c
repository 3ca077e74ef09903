/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host's side of DFU against a device that does what the bytes say. In turns: one that does anything that the types
 * allow, on a bus that does too (dfu-chaos.h); and the chip, with a bus and faults of the bytes' choice, which is never
 * brought to write raw (host-bus.h).
 */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/dfu-chaos.h"
#include "tests/unit/host-bus.h"

#define FAULTS 4

/* cmocka keeps what an assertion has to say for the end of a test, which never comes here. */
void cm_print_error(const char *const format, ...) _printf_(1, 2) __attribute__((visibility("default")));

void cm_print_error(const char *const format, ...)
{
        va_list ap;

        va_start(ap, format);
        vfprintf(stderr, format, ap);
        va_end(ap);
}

/* Before ours another program may have left the board anywhere. */
static void somebody_was_there(struct host *host, struct dice *dice)
{
        static const enum rom_request requests[] = { ROM_DNLOAD, ROM_GETSTATUS, ROM_CLRSTATUS, ROM_ABORT,
                                                     ROM_UPLOAD };

        for (uint32_t n = roll(dice, 4); n > 0; n--) {
                enum rom_request request = requests[roll(dice, ARRAY_SIZE(requests))];
                uint16_t length = request == ROM_DNLOAD && roll(dice, 2) ? ROM_TRANSFER_SIZE : 0;

                /* A download of theirs that ends here would be theirs to answer for: it stays open. */
                if (request == ROM_DNLOAD && length == 0)
                        continue;
                host_somebody_sends(host, request, host->payload, request == ROM_UPLOAD ? 64 : length);
        }
}

static void choose_faults(struct host *host, struct dice *dice)
{
        host->cancel_at = roll(dice, 2) ? roll(dice, 200) : 0;
        host->cancel_at_once = roll(dice, 16) == 1;
        host->late = roll(dice, 4);
        host->reversed = roll(dice, 2);
        host->gives_nothing_back = roll(dice, 8) == 1;
        host->leaves_with_bus_error = roll(dice, 2);
        host->broken_at = roll(dice, 4) == 1 ? 1 + roll(dice, 200) : 0;
        host->broken_with = roll(dice, 2) ? DFU_BUS_ERROR : DFU_STALL;
        for (uint32_t n = roll(dice, FAULTS + 1); n > 0; n--) {
                enum rom_fault_when when = (enum rom_fault_when)roll(dice, ROM_AT_ANY + 1);
                enum rom_request request = (enum rom_request)roll(dice, ROM_N_REQUESTS);
                enum rom_fault_what what = (enum rom_fault_what)roll(dice, ROM_DO_POLL_TIME + 1);
                unsigned nth = roll(dice, 200);

                host_fault(host, when, request, nth, what,
                           what == ROM_DO_DELAY ? roll(dice, 0x10000) * USEC_PER_MSEC : roll(dice, 0x10000));
        }
}

/* The same each time, and made once: that takes longer than all the rest. */
static struct sample_image copy_of_image(void)
{
        static struct sample_image image;
        struct sample_image copy;

        if (!image.data)
                host_small_image(&image);
        copy = image;
        copy.data = malloc(image.size);
        must(copy.data);
        memcpy(copy.data, image.data, image.size);
        return copy;
}

static void meet_the_chip(struct dice *dice)
{
        const struct rom_config config = { .starts_in_dfu_mode = true, .flash_size = 1 * MIB };
        struct sample_image image = copy_of_image();
        struct host host;

        host_meets_with(&host, &config, &image);
        host.params.depth = 1 + roll(dice, DFU_DEPTH_MAX);
        host.params.status_every = 1 + roll(dice, 256);
        somebody_was_there(&host, dice);
        choose_faults(&host, dice);
        download(&host);
        expect_no_harm(&host);
        if (host.dfu.verdict == VERDICT_FLASHED)
                must(host.dfu.bytes_done == host.params.size);
        host_done(&host);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct dice dice = dice_of_bytes(data, size);

        if (roll(&dice, 2) == 0)
                chaos_run(&dice);
        else
                meet_the_chip(&dice);
        return 0;
}
