/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which faults there are, and what may come of them. Not what does: that is in docs/faults.md, from the runs. */
#include "tests/integration/faults.h"

static const char *const moment_words[FAULT_MOMENTS] = {
        [BEFORE_DETACH] = "before DETACH",
        [IN_DETACH] = "in DETACH",
        [AFTER_REATTACH] = "after re-attach",
        [FIRST_BLOCK] = "first block",
        [MID_FILE] = "mid-file",
        [AT_ERASE] = "at an erase",
        [LAST_BLOCK] = "last block",
        [EMPTY_DNLOAD] = "the empty DNLOAD",
        [VERIFICATION] = "verification",
        [AFTER_VERDICT] = "after the verdict",
};

const char *fault_moment_to_string(enum fault_moment moment)
{
        return moment_words[moment];
}

/* ---- the tables ---- */

#define MOMENT_USEC      50000
#define CONFIGURATION_AT 18 /* behind the device descriptor */

/* clang-format off */
#define NONE(moment, why) [moment] = { .none = (why) }
#define IS_DONE           NONE(AFTER_VERDICT, "nothing is asked of it any more")
#define NO_ENGINE         NONE(AFTER_VERDICT, "its engine has ended")
#define LEFT_DONE         [AFTER_VERDICT] = { .has_rest = true, .rest = PHASE_EMPTY }
#define NO_POLICY         [BEFORE_DETACH] = { .has_rest = true, .rest = PHASE_NO_POLICY }
#define NO_STATE                                                                                             \
        NONE(BEFORE_DETACH, "no state is asked for"),                                                        \
        NONE(IN_DETACH, "DETACH has no answer"),                                                             \
        NONE(EMPTY_DNLOAD, "its state is told by the verification's GETSTATUS")
#define NO_ANSWER                                                                                            \
        NONE(IN_DETACH, "DETACH has no answer"),                                                             \
        NONE(EMPTY_DNLOAD, "there is nothing that it could take less of")
#define WITH(moment, fault, of) [moment] = { .has_what = true, .what = (fault), .value = (of) }
/* In the first block it is told alone: what is wrong with a download is forgotten where the next one begins. */
#define ERROR_PLACES                                                                                         \
        NONE(BEFORE_DETACH, "no status is asked for"),                                                       \
        NONE(IN_DETACH, "DETACH has no answer"),                                                             \
        WITH(AFTER_REATTACH, ROM_DO_STATUS, ROM_ERR_UNKNOWN),                                                \
        WITH(FIRST_BLOCK, ROM_DO_STATUS, ROM_ERR_TARGET),                                                    \
        WITH(EMPTY_DNLOAD, ROM_DO_FLIP_BIT, (0x10000 + 77) << 3),                                            \
        WITH(VERIFICATION, ROM_DO_STATUS, ROM_ERR_FIRMWARE)

#define READ_ON_ARRIVAL "descriptors are read when a board comes"
#define LIES_AT                                                                                              \
        NONE(IN_DETACH, READ_ON_ARRIVAL),                                                                    \
        NONE(FIRST_BLOCK, READ_ON_ARRIVAL),                                                                  \
        NONE(MID_FILE, READ_ON_ARRIVAL),                                                                     \
        NONE(AT_ERASE, READ_ON_ARRIVAL),                                                                     \
        NONE(LAST_BLOCK, READ_ON_ARRIVAL),                                                                   \
        NONE(EMPTY_DNLOAD, READ_ON_ARRIVAL),                                                                 \
        NONE(VERIFICATION, READ_ON_ARRIVAL),                                                                 \
        NONE(AFTER_VERDICT, READ_ON_ARRIVAL)
/*
 * One lie, to a policy that takes the mask ROM alone, and to one that takes any DFU device. bwPollTimeout, which is obeyed by
 * the latter, is made 0 of 256 ms, or each download would last minutes. Behind `text` stands what is special about the latter.
 */
#define LIE(title, what_is_said, lie, ...)                                                                   \
        { .name = "Descriptors that lie: " title " (mode = rom)", .text = (what_is_said), .chip = ROM_S3,    \
          .lies = lie, .causes = CAUSE(NOT_DFU), .limit_sec = 60, .at = { LIES_AT, NO_POLICY } },            \
        { .name = "Descriptors that lie: " title " (mode = any)", .text = (what_is_said), .chip = ROM_S3,    \
          .lies = lie, .limit_sec = 60, .any = true, .strikes = true, .what = ROM_DO_POLL_TIME,              \
          .each = true, __VA_ARGS__ }
#define BYTES(...) { __VA_ARGS__ }
/* clang-format on */

const struct fault_row fault_rows[] = {
        { .name = "A stall, once",
          .text = "The request is stalled; the next one is not.",
          .chip = ROM_S3,
          .strikes = true,
          .what = ROM_DO_STALL,
          .good = AT_ALL,
          .causes = CAUSE(STALLED),
          .limit_sec = 60,
          .at = { IS_DONE } },
        { .name = "A stall, in each attempt",
          .text = "The request is stalled whenever it comes.",
          .chip = ROM_S3,
          .strikes = true,
          .what = ROM_DO_STALL,
          .each = true,
          .good = AT(BEFORE_DETACH), /* libusb takes the first configuration then, as the kernel does */
          .causes = CAUSE(STALLED),
          .limit_sec = 60,
          .at = { IS_DONE } },
        { .name = "No answer, once",
          .text = "The request is never answered, nor carried out; the next one is.",
          .chip = ROM_S3,
          .strikes = true,
          .what = ROM_DO_LOSE,
          .good = AT_ALL,
          .causes = CAUSE(TIMED_OUT),
          .limit_sec = 120,
          .at = { IS_DONE } },
        { .name = "No answer any more",
          .text = "From that request on the board is silent, and stays on the bus.",
          .chip = ROM_S3,
          .strikes = true,
          .what = ROM_DO_HANG,
          .causes = CAUSE(TIMED_OUT),
          .limit_sec = 240,
          .at = { IS_DONE } },
        { .name = "A short answer, once",
          .text = "The answer has half its bytes, or of a block half is said to be taken.",
          .chip = ROM_S3,
          .strikes = true,
          .what = ROM_DO_SHORTEN,
          .value = 3,
          .good = AT_ALL,
          .causes = CAUSE(BAD_ANSWER),
          .limit_sec = 60,
          .at = { IS_DONE, NO_ANSWER } },
        { .name = "A short answer, in each attempt",
          .text = "As above, whenever the request comes.",
          .chip = ROM_S3,
          .strikes = true,
          .what = ROM_DO_SHORTEN,
          .value = 3,
          .each = true,
          .good = AT(BEFORE_DETACH),
          .causes = CAUSE(BAD_ANSWER),
          .limit_sec = 60,
          .at = { IS_DONE, NO_ANSWER } },
        { .name = "A wrong state, once",
          .text = "The answer tells dfuUPLOAD-IDLE; of a block, the GETSTATUS that tells of it.",
          .chip = ROM_S3,
          .strikes = true,
          .what = ROM_DO_STATE,
          .value = ROM_DFU_UPLOAD_IDLE,
          .good = AT_ALL,
          .causes = CAUSE(BAD_ANSWER),
          .limit_sec = 60,
          .at = { IS_DONE, NO_STATE } },
        { .name = "A wrong state, in each attempt",
          .text = "As above, whenever the request comes.",
          .chip = ROM_S3,
          .strikes = true,
          .what = ROM_DO_STATE,
          .value = ROM_DFU_UPLOAD_IDLE,
          .each = true,
          .causes = CAUSE(BAD_ANSWER),
          .limit_sec = 60,
          .at = { IS_DONE, NO_STATE } },
        { .name = "An error status, once",
          .text = "A block is not taken (errTARGET), which the next GETSTATUS tells; after re-attach the "
                  "board tells an error; at the empty DNLOAD a bit of "
                  "the flash has flipped, so that what is read back is not what was sent; at the "
                  "verification it is told "
                  "that it has not.",
          .chip = ROM_S3,
          .strikes = true,
          .what = ROM_DO_ERROR,
          .value = ROM_ERR_TARGET,
          .good = AT_ALL,
          .causes = CAUSE(BOARD_ERROR) | CAUSE(VERIFY_FAILED),
          .limit_sec = 60,
          .at = { IS_DONE, ERROR_PLACES } },
        { .name = "An error status, in each attempt",
          .text = "As above, whenever the request comes.",
          .chip = ROM_S3,
          .strikes = true,
          .what = ROM_DO_ERROR,
          .value = ROM_ERR_TARGET,
          .each = true,
          .causes = CAUSE(BOARD_ERROR) | CAUSE(VERIFY_FAILED),
          .limit_sec = 60,
          .at = { IS_DONE, ERROR_PLACES } },
        { .name = "Unplugged: a board with a MAC",
          .text = "The plug is pulled, and stays out.",
          .chip = ROM_S3,
          .strikes = true,
          .what = ROM_DO_UNPLUG,
          .causes = CAUSE(BOARD_LEFT) | CAUSE(NOT_RETURNED),
          .limit_sec = 120,
          .at = { LEFT_DONE } },
        { .name = "Unplugged: an ESP32-S2",
          .text = "The same with a chip that says no MAC, so that whatever comes is a new board.",
          .chip = ROM_S2,
          .strikes = true,
          .what = ROM_DO_UNPLUG,
          .causes = CAUSE(BOARD_LEFT) | CAUSE(NOT_RETURNED),
          .limit_sec = 120,
          .at = { LEFT_DONE } },
        { .name = "Unplugged and back in 50 ms: a board with a MAC",
          .text = "The contact is lost for a moment; the board starts anew, in run-time mode.",
          .chip = ROM_S3,
          .strikes = true,
          .what = ROM_DO_UNPLUG,
          .value = MOMENT_USEC,
          .good = AT_ALL,
          .causes = CAUSE(BOARD_LEFT),
          .limit_sec = 60,
          .at = { [AFTER_VERDICT] = { .says = "taken for its application" } } },
        { .name = "Unplugged and back in 50 ms: an ESP32-S2",
          .text = "The same with a chip that says no MAC.",
          .chip = ROM_S2,
          .strikes = true,
          .what = ROM_DO_UNPLUG,
          .value = MOMENT_USEC,
          .good = AT_ALL,
          .causes = CAUSE(BOARD_LEFT),
          .limit_sec = 60 },
        { .name = "Another board in the same port: with a MAC",
          .text = "The board is pulled, and another of the same chip is plugged in as soon as it is gone. "
                  "What is flashed is the other one. (Behind a `board-left` the end of the first one's job "
                  "may be a "
                  "`replaced` of its own, where the other one is quicker: not shown here.)",
          .chip = ROM_S3,
          .deed = DEED_ANOTHER,
          .strikes = true,
          .what = ROM_DO_UNPLUG,
          .good = AT_ALL,
          .causes = CAUSE(BOARD_LEFT) | CAUSE(REPLACED),
          .unsaid = CAUSE(REPLACED),
          .limit_sec = 60 },
        { .name = "Another board in the same port: an ESP32-S2",
          .text = "The same with a chip that says no MAC.",
          .chip = ROM_S2,
          .deed = DEED_ANOTHER,
          .strikes = true,
          .what = ROM_DO_UNPLUG,
          .good = AT_ALL,
          .causes = CAUSE(BOARD_LEFT) | CAUSE(REPLACED),
          .unsaid = CAUSE(REPLACED),
          .limit_sec = 60 },
        { .name = "A board of another chip in the same port",
          .text = "An ESP32-S3 is pulled, and an ESP32-S2 is plugged in as soon as it is gone: it gets its "
                  "own image.",
          .chip = ROM_S3,
          .deed = DEED_OTHER_CHIP,
          .strikes = true,
          .what = ROM_DO_UNPLUG,
          .good = AT_ALL,
          .causes = CAUSE(BOARD_LEFT) | CAUSE(REPLACED),
          .unsaid = CAUSE(REPLACED),
          .limit_sec = 60 },
        /* clang-format off */
        LIE("a descriptor of no length", "bLength 0 of one in the middle: whoever walks along them gets nowhere.",
            BYTES({ CONFIGURATION_AT + 9, 0 }),
            .causes = CAUSE(NOT_DFU), .at = { LIES_AT, NO_POLICY }),
        LIE("a length past the end", "bLength 255 of the last one.",
            BYTES({ CONFIGURATION_AT + 84, 255 }),
            .causes = CAUSE(NOT_DFU), .at = { LIES_AT, NO_POLICY }),
        LIE("wTotalLength 65535", "The configuration is said to be longer than it is.",
            BYTES({ CONFIGURATION_AT + 2, 0xff }, { CONFIGURATION_AT + 3, 0xff }),
            .good = AT_ALL, .at = { LIES_AT }),
        LIE("255 interfaces", "bNumInterfaces, where three are described.",
            BYTES({ CONFIGURATION_AT + 4, 255 }),
            .good = AT_ALL, .at = { LIES_AT }),
        LIE("255 configurations", "bNumConfigurations, where there is one: libusb finds no more of them.",
            BYTES({ 17, 255 }),
            .causes = CAUSE(USB_ERROR), .at = { LIES_AT }),
        LIE("wTransferSize 0", "Blocks of no bytes.",
            BYTES({ CONFIGURATION_AT + 89, 0 }, { CONFIGURATION_AT + 90, 0 }),
            .causes = CAUSE(NOT_DFU), .at = { LIES_AT }),
        LIE("wTransferSize 65535", "Blocks that would overrun the ROM's memory.",
            BYTES({ CONFIGURATION_AT + 89, 0xff }, { CONFIGURATION_AT + 90, 0xff }),
            .causes = CAUSE(NOT_DFU), .at = { LIES_AT }),
        /* clang-format on */
        { .name = "The engine killed",
          .text = "SIGKILL for the board's engine while it waits for the answer.",
          .chip = ROM_S3,
          .deed = DEED_KILL_ENGINE,
          .strikes = true,
          .what = ROM_DO_LOSE,
          .good = AT_ALL,
          .causes = CAUSE(ENGINE_FAILED),
          .limit_sec = 120,
          .at = { NO_ENGINE } },
        { .name = "The engine stopped",
          .text = "SIGSTOP for the board's engine while it waits for the answer: it hangs, as one that the "
                  "kernel holds.",
          .chip = ROM_S3,
          .deed = DEED_STOP_ENGINE,
          .strikes = true,
          .what = ROM_DO_LOSE,
          .good = AT_ALL,
          .causes = CAUSE(TIMED_OUT),
          .limit_sec = 240,
          .at = { NO_ENGINE } },
        { .name = "A hub goes with eight boards",
          .text = "Eight boards on it, each at another moment; a second hub has the other two. Both are back "
                  "with their boards when "
                  "the engines have noticed.",
          .chip = ROM_S3,
          .deed = DEED_PULL_HUB,
          .strikes = true,
          .what = ROM_DO_LOSE,
          .good = AT_ALL,
          .causes = CAUSE(BOARD_LEFT),
          .limit_sec = 60,
          .at = { [AFTER_VERDICT] = { .says = "taken for its application" } } },
        { .name = "The daemon killed",
          .text = "SIGKILL for espdfud, while each of its boards is at another moment; it is started again "
                  "at once. (Where the "
                  "engine of before has the board for a moment longer, or still sends its DETACH, there is a "
                  "`busy` or a `board-left` in "
                  "between, not shown here.)",
          .chip = ROM_S3,
          .deed = DEED_KILL_DAEMON,
          .strikes = true,
          .what = ROM_DO_LOSE,
          .good = AT_ALL,
          .causes = CAUSE(INTERRUPTED),
          .unsaid = CAUSE(BUSY) | CAUSE(BOARD_LEFT),
          .limit_sec = 120 },
        { .name = "The ledger's disk full",
          .text = "Nothing can be written to the ledger any more while each board is at another moment "
                  "(before DETACH: when it is "
                  "plugged in). None is told to be flashed until there is space again; `within` counts from "
                  "then.",
          .chip = ROM_S3,
          .deed = DEED_FILL_DISK,
          .strikes = true,
          .what = ROM_DO_DELAY,
          .value = 4 * USEC_PER_SEC, /* a request has 5 s */
          .good = AT_ALL,
          .limit_sec = 60 },
};
const size_t n_fault_rows = ARRAY_SIZE(fault_rows);

/* ---- where they strike ---- */

static const struct {
        struct rom_fault request, answer; /* nth is set for the image at hand */
} places[FAULT_MOMENTS] = {
        [BEFORE_DETACH] = { { .when = ROM_AT_OTHER }, { .when = ROM_AT_OTHER } },
        [IN_DETACH] = { { .when = ROM_AT_REQUEST, .request = ROM_DETACH },
                        { .when = ROM_AT_REQUEST, .request = ROM_DETACH } },
        [AFTER_REATTACH] = { { .when = ROM_AT_REQUEST, .request = ROM_GETSTATUS },
                             { .when = ROM_AT_REQUEST, .request = ROM_GETSTATUS } },
        [FIRST_BLOCK] = { { .when = ROM_AT_BLOCK }, { .when = ROM_AT_STATUS } },
        [MID_FILE] = { { .when = ROM_AT_BLOCK }, { .when = ROM_AT_STATUS } },
        [AT_ERASE] = { { .when = ROM_AT_BLOCK }, { .when = ROM_AT_STATUS } },
        [LAST_BLOCK] = { { .when = ROM_AT_BLOCK }, { .when = ROM_AT_STATUS } },
        [EMPTY_DNLOAD] = { { .when = ROM_AT_MANIFEST }, { .when = ROM_AT_MANIFEST } },
        [VERIFICATION] = { { .when = ROM_AT_RESULT }, { .when = ROM_AT_RESULT } },
};

bool fault_is_for_station(const struct fault_row *row)
{
        return row->deed >= DEED_PULL_HUB;
}

bool fault_is_good(const struct fault_cell *cell)
{
        return cell->row->good & AT(cell->moment);
}

bool fault_of_cell(const struct faults *f, const struct fault_cell *cell, struct rom_fault *ret)
{
        const struct fault_strike *strike = &cell->row->at[cell->moment];
        enum rom_fault_what what = strike->has_what ? strike->what : cell->row->what;
        bool in_answer = what == ROM_DO_STATE || what == ROM_DO_STATUS;
        unsigned block = f->block[cell->row->chip][cell->moment];

        if (!cell->row->strikes || cell->moment == AFTER_VERDICT)
                return false;
        *ret = in_answer ? places[cell->moment].answer : places[cell->moment].request;
        ret->what = what;
        ret->value = strike->has_what ? strike->value : cell->row->value;
        ret->nth = block ? block : cell->row->each ? 0 : 1;
        ret->each_archive = block && cell->row->each;
        /* Of a block half its bytes, of a status half, of the configuration's number nothing. */
        if (what == ROM_DO_SHORTEN)
                ret->value = block ? ROM_TRANSFER_SIZE / 2 : cell->moment == BEFORE_DETACH ? 0 : 3;
        return true;
}

/* The number of a block, from 1 on, with which the chip erases something: for the second file. */
static unsigned find_erase(const struct sample_image *image, enum rom_chip chip)
{
        _cleanup_(rom_freep) struct rom *rom = rom_new(
                &(struct rom_config){ .chip = chip, .starts_in_dfu_mode = true });
        unsigned n = 0;

        assert_non_null(rom);
        for (size_t at = 0; at < image->payload_size; at += ROM_TRANSFER_SIZE) {
                size_t len = MIN(image->payload_size - at, (size_t)ROM_TRANSFER_SIZE);
                const struct rom_setup setup = { 0x21, ROM_DNLOAD, 0, 2, (uint16_t)len };
                unsigned before = rom_counters(rom)->erased_sectors;
                struct rom_reply reply;

                rom_control(rom, &setup, image->data + at, &reply);
                n++;
                if (at > image->payload_size / 8 && rom_counters(rom)->erased_sectors > before)
                        return n;
        }
        fail_msg("no block erases anything for the second file");
        return 0;
}

void fault_find_blocks(struct faults *f)
{
        const struct sample_image *images[ROM_N_CHIPS] = { [ROM_S2] = &f->line.s2, [ROM_S3] = &f->line.s3 };

        for (unsigned chip = 0; chip < ROM_N_CHIPS; chip++) {
                unsigned n;

                if (!images[chip])
                        continue;
                n = (unsigned)((images[chip]->payload_size + ROM_TRANSFER_SIZE - 1) / ROM_TRANSFER_SIZE);
                f->block[chip][FIRST_BLOCK] = 1;
                f->block[chip][MID_FILE] = n * 2 / 3;
                f->block[chip][AT_ERASE] = find_erase(images[chip], (enum rom_chip)chip);
                f->block[chip][LAST_BLOCK] = n;
        }
}
