/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/dfu-protocol.h"

static const char *const request_words[DFU_REQUEST_MAX_] = {
        [DFU_DETACH] = "DETACH",       [DFU_DNLOAD] = "DNLOAD",       [DFU_UPLOAD] = "UPLOAD",
        [DFU_GETSTATUS] = "GETSTATUS", [DFU_CLRSTATUS] = "CLRSTATUS", [DFU_GETSTATE] = "GETSTATE",
        [DFU_ABORT] = "ABORT",
};
DEFINE_WORDS(dfu_request, request_words)

static const char *const state_words[DFU_STATE_MAX_] = {
        [DFU_APP_IDLE] = "appIDLE",
        [DFU_APP_DETACH] = "appDETACH",
        [DFU_IDLE] = "dfuIDLE",
        [DFU_DNLOAD_SYNC] = "dfuDNLOAD-SYNC",
        [DFU_DNBUSY] = "dfuDNBUSY",
        [DFU_DNLOAD_IDLE] = "dfuDNLOAD-IDLE",
        [DFU_MANIFEST_SYNC] = "dfuMANIFEST-SYNC",
        [DFU_MANIFEST] = "dfuMANIFEST",
        [DFU_MANIFEST_WAIT_RESET] = "dfuMANIFEST-WAIT-RESET",
        [DFU_UPLOAD_IDLE] = "dfuUPLOAD-IDLE",
        [DFU_ERROR] = "dfuERROR",
};
DEFINE_WORDS(dfu_state, state_words)

static const char *const code_words[DFU_CODE_MAX_] = {
        [DFU_OK] = "OK",
        [DFU_ERR_TARGET] = "errTARGET",
        [DFU_ERR_FILE] = "errFILE",
        [DFU_ERR_WRITE] = "errWRITE",
        [DFU_ERR_ERASE] = "errERASE",
        [DFU_ERR_CHECK_ERASED] = "errCHECK_ERASED",
        [DFU_ERR_PROG] = "errPROG",
        [DFU_ERR_VERIFY] = "errVERIFY",
        [DFU_ERR_ADDRESS] = "errADDRESS",
        [DFU_ERR_NOTDONE] = "errNOTDONE",
        [DFU_ERR_FIRMWARE] = "errFIRMWARE",
        [DFU_ERR_VENDOR] = "errVENDOR",
        [DFU_ERR_USBR] = "errUSBR",
        [DFU_ERR_POR] = "errPOR",
        [DFU_ERR_UNKNOWN] = "errUNKNOWN",
        [DFU_ERR_STALLEDPKT] = "errSTALLEDPKT",
};
DEFINE_WORDS(dfu_code, code_words)

int dfu_status_parse(const uint8_t *data, size_t len, struct dfu_status *ret)
{
        if (len < DFU_STATUS_SIZE || data[0] >= DFU_CODE_MAX_ || data[4] >= DFU_STATE_MAX_)
                return -EBADMSG;
        *ret = (struct dfu_status){
                .code = (enum dfu_code)data[0],
                .state = (enum dfu_state)data[4],
                .poll_timeout_ms = (uint32_t)(data[1] | data[2] << 8 | data[3] << 16),
        };
        return 0;
}
