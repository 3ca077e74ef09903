/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/host-bus.h"

#include <stdio.h>

#define START_USEC (3600 * USEC_PER_SEC) /* no test depends on a clock that begins at 0 */
#define LONGEST    (3600 * USEC_PER_SEC) /* of virtual time: whoever takes longer does not end */
#define STEPS_MAX  1000000
#define TYPE_IN    0xa1
#define TYPE_OUT   0x21
#define INTERFACE  2

/* ---- the transcript ---- */

static char letter_of(const struct dfu_action *a)
{
        switch (a->request) {
        case DFU_DETACH:
                return 'D';
        case DFU_DNLOAD:
                return a->length > 0 ? 'B' : 'E';
        case DFU_GETSTATUS:
                return 'S';
        case DFU_CLRSTATUS:
                return 'C';
        case DFU_ABORT:
                return 'A';
        case DFU_UPLOAD:
        case DFU_GETSTATE:
        case DFU_REQUEST_MAX_:
                break;
        }
        return '?';
}

static void note_request(struct host *host, char letter)
{
        size_t len = strlen(host->requests);

        if (len > 0 && letter == 'B' && host->requests[len - 1] == 'B')
                return;
        if (len + 3 > sizeof(host->requests))
                return;
        if (len > 0)
                host->requests[len++] = ' ';
        host->requests[len++] = letter;
        host->requests[len] = '\0';
}

/* ---- submissions ---- */

static void check_submission(const struct host *host, const struct dfu_action *a)
{
        const struct dfu_params *p = &host->dfu.params;

        assert_false(host->draining);
        assert_true(host->n < MAX(p->depth, 1U));
        assert_true(a->tag < DFU_DEPTH_MAX);
        for (size_t i = 0; i < host->n; i++)
                assert_int_not_equal(host->queue[i].action.tag, a->tag);
        if (a->request == DFU_ABORT || a->request == DFU_CLRSTATUS)
                assert_int_equal(host->n, 0);
        if (host->dnloads == 1 && host->dfu.bytes_done == 0)
                assert_int_equal(host->n, 0); /* the first block's end is known before anything follows */
        if (a->request != DFU_DNLOAD)
                return;
        assert_true(a->length <= p->transfer_size);
        assert_true(a->offset <= p->size && a->length <= p->size - a->offset);
        assert_int_equal(a->value, (uint16_t)host->dnloads);
        assert_int_equal(a->offset, MIN((size_t)host->dnloads * p->transfer_size, p->size));
}

static void complete(struct host *host, size_t index, enum dfu_result result)
{
        struct host_transfer t = host->queue[index];
        struct dfu_completion c = {
                .tag = t.action.tag,
                .result = result,
                .length = result == DFU_DONE ? t.reply.len : 0,
                .data = t.reply.data,
        };

        memmove(&host->queue[index], &host->queue[index + 1], (host->n - index - 1) * sizeof(host->queue[0]));
        host->n--;
        if (host->n == 0)
                host->draining = false;
        dfu_completed(&host->dfu, &c, host->now_usec);
}

static void submit(struct host *host, const struct dfu_action *action)
{
        check_submission(host, action);
        note_request(host, letter_of(action));
        if (action->request == DFU_DNLOAD)
                host->dnloads++;
        if (host->dfu.stage == DFU_STAGE_SEND && action->request == DFU_GETSTATUS && host->n == 0)
                host->lonely_status++;
        host->queue[host->n++] = (struct host_transfer){ .action = *action };
        host->deepest = MAX(host->deepest, host->n);
        if (host->gone)
                complete(host, host->n - 1, DFU_GONE); /* usbfs refuses it at once */
}

/* Silent, or slow: when it is cancelled the host controller gives it up. */
static bool is_slow(const struct host *host, const struct host_transfer *t)
{
        return t->at_device && t->done_usec > host->now_usec + USEC_PER_SEC;
}

static void cancel_all(struct host *host)
{
        size_t first;

        assert_true(host->n > 0);
        host->draining = true;
        if (host->gives_nothing_back)
                return;
        if (is_slow(host, &host->queue[0]))
                complete(host, 0, DFU_CANCELLED);
        first = MIN((size_t)host->late, host->n);
        while (host->n > first)
                complete(host, host->reversed ? host->n - 1 : first, DFU_CANCELLED);
}

/* Returns whether the machine has ended. */
static bool pump(struct host *host)
{
        struct dfu_action action;

        for (unsigned i = 0; i < STEPS_MAX; i++) {
                dfu_next(&host->dfu, host->now_usec, &action);
                switch (action.type) {
                case DFU_DO_WAIT:
                        if (host->dfu.stage == DFU_STAGE_SEND && !host->draining &&
                            host->dfu.bytes_done > 0 && host->n < host->dfu.params.depth &&
                            host->dfu.next_offset < host->dfu.params.size)
                                host->starved++;
                        return false;
                case DFU_DO_REQUEST:
                        submit(host, &action);
                        break;
                case DFU_DO_CANCEL:
                        cancel_all(host);
                        break;
                case DFU_DO_END:
                        return true;
                }
        }
        fail_msg("asks for requests without an end");
        return true;
}

/* ---- the bus ---- */

static void hand_in(struct host *host, struct host_transfer *t)
{
        const struct dfu_action *a = &t->action;
        bool in = a->request == DFU_GETSTATUS;
        struct rom_setup setup = { in ? TYPE_IN : TYPE_OUT, (uint8_t)a->request, a->value, INTERFACE,
                                   a->length };

        t->at_device = true;
        t->done_usec = host->now_usec;
        host->handed_in++;
        if (host->handed_in != host->broken_at) {
                host->control(host->device, &setup, in || a->length == 0 ? NULL : host->payload + a->offset,
                              host->now_usec, &t->reply);
                t->done_usec = t->reply.answer == ROM_SILENCE ? USEC_INFINITY
                                                              : host->now_usec + t->reply.delay_usec;
                if (host->slow_from > 0 && host->handed_in >= host->slow_from &&
                    t->done_usec != USEC_INFINITY)
                        t->done_usec += host->slow_usec;
        }
        if (host->handed_in == host->cancel_at)
                dfu_cancel(&host->dfu);
}

static void everything_is_gone(struct host *host)
{
        host->gone = true;
        complete(host, 0, host->leaves_with_bus_error ? DFU_BUS_ERROR : DFU_GONE);
        while (host->n > 0)
                complete(host, 0, DFU_GONE);
}

static void first_is_over(struct host *host)
{
        if (host->handed_in == host->broken_at) {
                complete(host, 0, host->broken_with);
                return;
        }
        switch (host->queue[0].reply.answer) {
        case ROM_ACK:
                complete(host, 0, DFU_DONE);
                break;
        case ROM_STALL:
                complete(host, 0, DFU_STALL);
                break;
        case ROM_VANISH:
                everything_is_gone(host);
                break;
        case ROM_SILENCE:
                fail_msg("a silent transfer is never over");
                break;
        }
}

/* Time passes until something happens. */
static void wait_for_event(struct host *host)
{
        struct host_transfer *first = host->n > 0 ? &host->queue[0] : NULL;
        uint64_t bus = USEC_INFINITY, until;

        if (first && !first->at_device && host->now_usec >= host->busy_until_usec) {
                hand_in(host, first);
                if (host->draining && is_slow(host, first))
                        complete(host, 0, DFU_CANCELLED); /* cancelled before its turn came */
                return;
        }
        if (first)
                bus = first->at_device ? first->done_usec : host->busy_until_usec;
        until = MIN(bus, dfu_deadline(&host->dfu));
        if (until == USEC_INFINITY)
                fail_msg("waits for nothing in stage %d, after %s", (int)host->dfu.stage, host->requests);
        host->now_usec = MAX(host->now_usec, until);
        if (bus > until)
                dfu_expired(&host->dfu, host->now_usec);
        else if (first->at_device)
                first_is_over(host);
}

static void check_end(const struct host *host)
{
        const char *m = host->dfu.message;

        if (!host->gives_nothing_back)
                assert_int_equal(host->n, 0);
        assert_int_not_equal(host->dfu.verdict, VERDICT_NONE);
        assert_true(*m != '\0' && strlen(m) < DFU_MESSAGE_MAX - 1);
        for (; *m; m++)
                assert_in_range(*m, 0x20, 0x7e);
}

void host_drive(struct host *host)
{
        for (unsigned i = 0; !pump(host); i++) {
                wait_for_event(host);
                if (i > STEPS_MAX || host->now_usec > START_USEC + LONGEST)
                        fail_msg("does not end: stage %d, after %s", (int)host->dfu.stage, host->requests);
        }
        check_end(host);
}

/* ---- a board with the mask ROM ---- */

static void rom_takes(void *device, const struct rom_setup *setup, const uint8_t *out, uint64_t now_usec,
                      struct rom_reply *ret)
{
        (void)now_usec;
        rom_control(device, setup, out, ret);
}

static size_t erased_by(const void *userdata, size_t offset, size_t len)
{
        return erase_plan_bytes(userdata, offset, len);
}

void host_meets_with(struct host *host, const struct rom_config *config, struct sample_image *image)
{
        struct fault fault;

        *host = (struct host){ .now_usec = START_USEC, .image = *image, .control = rom_takes };
        *image = (struct sample_image){ 0 };
        host->rom = host->device = rom_new(config);
        assert_non_null(host->rom);
        rom_set_configured(host->rom);
        host->payload = host->image.data;
        assert_int_equal(erase_plan_make(host->payload, host->image.payload_size, &host->plan, &fault), 0);
        host->params = (struct dfu_params){
                .profile = DFU_PROFILE_ROM,
                .size = host->image.payload_size,
                .transfer_size = ROM_TRANSFER_SIZE,
                .manifestation_tolerant = true,
                .depth = HOST_DEPTH,
                .status_every = HOST_STATUS_EVERY,
                .verify_bytes = host->plan.flash_bytes,
                .erase_bytes = erased_by,
                .userdata = &host->plan,
        };
}

void host_small_image(struct sample_image *ret)
{
        const struct sample_spec spec = {
                .pid = 0x0002,
                .flash_size = 1 * MIB,
                .files = { { "a.bin", 0x1000, 5000, 3 }, { "b.bin", 0x8000, 700, 5 } },
                .n_files = 2,
        };

        sample_image_make(&spec, ret);
}

void host_meets(struct host *host, const struct rom_config *config)
{
        struct sample_image image;

        host_small_image(&image);
        host_meets_with(host, config, &image);
}

void host_done(struct host *host)
{
        rom_free(host->rom);
        sample_image_done(&host->image);
        *host = (struct host){ 0 };
}

void host_somebody_sends(struct host *host, enum rom_request request, const void *data, uint16_t length)
{
        bool in = request == ROM_UPLOAD || request == ROM_GETSTATUS || request == ROM_GETSTATE;
        const struct rom_setup setup = { in ? TYPE_IN : TYPE_OUT, (uint8_t)request, 0, INTERFACE, length };
        struct rom_reply reply;

        rom_control(host->rom, &setup, data, &reply);
}

void host_fault(struct host *host, enum rom_fault_when when, enum rom_request request, unsigned nth,
                enum rom_fault_what what, uint64_t value)
{
        rom_add_fault(host->rom, &(struct rom_fault){ when, request, nth, what, value });
}

/* ---- what it does ---- */

void download(struct host *host)
{
        dfu_start(&host->dfu, &host->params);
        if (host->cancel_at_once)
                dfu_cancel(&host->dfu);
        host_drive(host);
}

void download_again(struct host *host)
{
        host->now_usec = START_USEC;
        host->cancel_at = host->broken_at = 0;
        host->handed_in = host->dnloads = 0;
        host->gives_nothing_back = host->draining = host->gone = false;
        host->n = 0; /* the last engine's end closed the device node */
        host->busy_until_usec = 0;
        host->requests[0] = '\0';
        rom_clear_faults(host->rom);
        download(host);
}

void detach(struct host *host)
{
        dfu_start_detach(&host->dfu, 700);
        host_drive(host);
}

/* ---- what is expected ---- */

void expect_verdict_(const struct host *host, enum verdict verdict, const char *text, const char *file,
                     int line)
{
        const struct dfu *dfu = &host->dfu;

        if (dfu->verdict != verdict || !strstr(dfu->message, text)) {
                print_error("%s:%d: verdict %s, \"%s\" after %s: expected %s, \"%s\"\n", file, line,
                            verdict_to_string(dfu->verdict), dfu->message, host->requests,
                            verdict_to_string(verdict), text);
                _fail(file, line);
        }
        if (host->rom)
                expect_no_harm(host);
}

void expect_requests(const struct host *host, const char *requests)
{
        assert_string_equal(host->requests, requests);
}

bool host_board_is_flashed(const struct host *host)
{
        return rom_counters(host->rom)->completed > 0 &&
               rom_flash_has_image(host->rom, host->image.data, host->image.payload_size);
}

void expect_flashed(const struct host *host)
{
        expect_verdict(host, VERDICT_FLASHED, "bytes");
        assert_int_equal(host->dfu.bytes_done, host->params.size);
        assert_true(host_board_is_flashed(host));
        assert_int_equal(rom_state(host->rom), ROM_DFU_IDLE);
}

void expect_no_harm(const struct host *host)
{
        assert_int_equal(rom_counters(host->rom)->raw_downloads, 0);
        assert_int_equal(rom_counters(host->rom)->violations, 0);
        assert_int_equal(rom_counters(host->rom)->resets, 0);
}

void expect_within(const struct host *host, uint64_t usec)
{
        if (host->now_usec - START_USEC > usec)
                fail_msg("took %llu ms: expected at most %llu ms",
                         (unsigned long long)((host->now_usec - START_USEC) / USEC_PER_MSEC),
                         (unsigned long long)(usec / USEC_PER_MSEC));
}
