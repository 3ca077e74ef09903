/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/verdict.h"

static const char *const phase_words[PHASE_MAX_] = {
        [PHASE_EMPTY] = "empty",         [PHASE_NO_POLICY] = "no-policy",
        [PHASE_UNUSABLE] = "unusable",   [PHASE_IGNORED] = "ignored",
        [PHASE_HELD] = "held",           [PHASE_QUEUED] = "queued",
        [PHASE_DETACHING] = "detaching", [PHASE_DOWNLOADING] = "downloading",
        [PHASE_VERIFYING] = "verifying", [PHASE_RESETTING] = "resetting",
        [PHASE_FLASHED] = "flashed",     [PHASE_FAILED] = "failed",
        [PHASE_CANCELLED] = "cancelled", [PHASE_STUCK] = "stuck",
};
DEFINE_WORDS(phase, phase_words)

static const char *const verdict_words[VERDICT_MAX_] = {
        [VERDICT_NONE] = "none",
        [VERDICT_FLASHED] = "flashed",
        [VERDICT_DETACHED] = "detached",
        [VERDICT_CANCELLED] = "cancelled",
        [VERDICT_BOARD_LEFT] = "board-left",
        [VERDICT_NOT_RETURNED] = "not-returned",
        [VERDICT_REPLACED] = "replaced",
        [VERDICT_TIMED_OUT] = "timed-out",
        [VERDICT_STALLED] = "stalled",
        [VERDICT_BOARD_ERROR] = "board-error",
        [VERDICT_VERIFY_FAILED] = "verify-failed",
        [VERDICT_BAD_ANSWER] = "bad-answer",
        [VERDICT_NOT_DFU] = "not-dfu",
        [VERDICT_IMAGE_REFUSED] = "image-refused",
        [VERDICT_BUSY] = "busy",
        [VERDICT_NO_ACCESS] = "no-access",
        [VERDICT_USB_ERROR] = "usb-error",
        [VERDICT_ENGINE_FAILED] = "engine-failed",
        [VERDICT_INTERRUPTED] = "interrupted",
};
DEFINE_WORDS(verdict, verdict_words)

bool phase_is_running(enum phase phase)
{
        switch (phase) {
        case PHASE_DETACHING:
        case PHASE_DOWNLOADING:
        case PHASE_VERIFYING:
        case PHASE_RESETTING:
        case PHASE_STUCK:
                return true;
        case PHASE_EMPTY:
        case PHASE_NO_POLICY:
        case PHASE_UNUSABLE:
        case PHASE_IGNORED:
        case PHASE_HELD:
        case PHASE_QUEUED:
        case PHASE_FLASHED:
        case PHASE_FAILED:
        case PHASE_CANCELLED:
        case PHASE_MAX_:
                return false;
        }
        return false;
}

bool verdict_is_transient(enum verdict verdict)
{
        switch (verdict) {
        case VERDICT_TIMED_OUT:
        case VERDICT_STALLED:
        case VERDICT_BOARD_ERROR:
        case VERDICT_VERIFY_FAILED:
        case VERDICT_BAD_ANSWER:
        case VERDICT_BUSY:
        case VERDICT_NO_ACCESS:
        case VERDICT_USB_ERROR:
        case VERDICT_ENGINE_FAILED:
        case VERDICT_INTERRUPTED:
                return true;
        case VERDICT_NONE:
        case VERDICT_FLASHED:
        case VERDICT_DETACHED:
        case VERDICT_CANCELLED:
        case VERDICT_BOARD_LEFT:
        case VERDICT_NOT_RETURNED:
        case VERDICT_REPLACED:
        case VERDICT_NOT_DFU:
        case VERDICT_IMAGE_REFUSED:
        case VERDICT_MAX_:
                return false;
        }
        return false;
}

bool verdict_is_failure(enum verdict verdict)
{
        switch (verdict) {
        case VERDICT_BOARD_LEFT:
        case VERDICT_NOT_RETURNED:
        case VERDICT_REPLACED:
        case VERDICT_TIMED_OUT:
        case VERDICT_STALLED:
        case VERDICT_BOARD_ERROR:
        case VERDICT_VERIFY_FAILED:
        case VERDICT_BAD_ANSWER:
        case VERDICT_NOT_DFU:
        case VERDICT_IMAGE_REFUSED:
        case VERDICT_BUSY:
        case VERDICT_NO_ACCESS:
        case VERDICT_USB_ERROR:
        case VERDICT_ENGINE_FAILED:
                return true;
        case VERDICT_NONE:
        case VERDICT_FLASHED:
        case VERDICT_DETACHED:
        case VERDICT_CANCELLED:
        case VERDICT_INTERRUPTED:
        case VERDICT_MAX_:
                return false;
        }
        return false;
}
