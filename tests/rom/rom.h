/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A model of an Espressif chip in ROM download mode, as seen from USB: docs/rom-dfu.md in code. No I/O and no clock: a
 * transport (the umockdev bed, USB/IP in a virtual machine, a loopback in a unit test) hands in what the host sends and
 * carries out what comes back, and when. It models the chip and not our engine, and shares no code with core/ but
 * core/util.h, so that one mistake cannot hide on both sides.
 *
 * A transport's duties:
 *  - one control transfer at a time, in order: rom_control(), wait reply.delay_usec, hand the reply to the host.
 *    A transfer that the host takes back before it was handed in is never handed in;
 *  - ROM_VANISH: no answer (the host sees the transfer and all queued behind it fail), the board leaves the bus. After
 *    reply.away_usec call rom_attach() and let it come back on the same port, with the descriptors that it has then;
 *    USEC_INFINITY: it never comes back by itself;
 *  - ROM_SILENCE: no answer, for as long as the host will wait; the board stays on the bus. What is queued behind waits
 *    until the host takes the silent one back, then is handed in;
 *  - rom_bus_reset() when the host resets the device after it was configured;
 *  - rom_attach() when somebody plugs the board in again, after rom_power_off() when the plug was pulled.
 */
#pragma once

#include "core/util.h"

#define ROM_TRANSFER_SIZE      64       /* wTransferSize, and the size of the buffer in the ROM */
#define ROM_CONFIGURATION_SIZE 93       /* bytes */
#define ROM_REPLY_MAX          256      /* bytes */
#define ROM_POLL_TIMEOUT_MSEC  256      /* in each GETSTATUS */
#define ROM_DETACH_USEC        10000    /* off the bus after DETACH */
#define ROM_FLASH_SIZE         16777216 /* bytes, unless the configuration says otherwise */
#define ROM_SECTOR_SIZE        4096
#define ROM_PAGE_SIZE          256
#define ROM_RECORDS_MAX        64
#define ROM_FAULTS_MAX         16
#define ROM_LIES_MAX           4

enum rom_chip {
        ROM_S2,
        ROM_S3,
        ROM_P4,
        ROM_S31,
        ROM_N_CHIPS,
};

/* bRequest of DFU, and the states and status codes as they stand on the wire (DFU 1.1). */
enum rom_request {
        ROM_DETACH,
        ROM_DNLOAD,
        ROM_UPLOAD,
        ROM_GETSTATUS,
        ROM_CLRSTATUS,
        ROM_GETSTATE,
        ROM_ABORT,
        ROM_N_REQUESTS,
};

enum rom_state {
        ROM_APP_IDLE = 0,
        ROM_APP_DETACH = 1,
        ROM_DFU_IDLE = 2,
        ROM_DFU_DNLOAD_SYNC = 3, /* never reached */
        ROM_DFU_DNBUSY = 4,      /* never reached */
        ROM_DFU_DNLOAD_IDLE = 5,
        ROM_DFU_MANIFEST_SYNC = 6,
        ROM_DFU_MANIFEST = 7,            /* never reached */
        ROM_DFU_MANIFEST_WAIT_RESET = 8, /* never reached */
        ROM_DFU_UPLOAD_IDLE = 9,
        ROM_DFU_ERROR = 10,
};

enum rom_status {
        ROM_OK = 0x00,
        ROM_ERR_TARGET = 0x01,
        ROM_ERR_FILE = 0x02,
        ROM_ERR_FIRMWARE = 0x0a,
        ROM_ERR_UNKNOWN = 0x0e,
};

/* What the chip's slow parts cost. All zero: as fast as the host. */
struct rom_timing {
        uint64_t transfer_usec;       /* each control transfer */
        uint64_t erase_sector_usec;   /* each 4 KiB */
        uint64_t write_page_usec;     /* each 256 bytes */
        uint64_t verify_usec_per_mib; /* reading back after the last, empty DNLOAD */
};
extern const struct rom_timing rom_timing_realistic; /* 80 us, 9.4 ms, 0.4 ms, 1.5 s */

/* A byte of what the board says of itself: the device descriptor's 18, then the configuration's 93. */
struct rom_lie {
        uint8_t offset, to;
};

struct rom_config {
        enum rom_chip chip;
        uint8_t mac[6]; /* iSerial, but on an S2 */
        struct rom_timing timing;
        uint32_t flash_size;     /* of the part on the board, bytes; 0: ROM_FLASH_SIZE */
        bool starts_in_dfu_mode; /* an application asked for it: attaches with PP = 02, dfuIDLE */
        bool application_after_reset; /* a bus reset in DFU mode starts the application: the ROM is gone from the bus */
        uint64_t detach_usec; /* off the bus after DETACH; 0: ROM_DETACH_USEC */
        const char *serial; /* the rest is for what is not the ROM but looks like it; NULL or 0: the ROM's. */
        const char *product;            /* Strings are borrowed for as long as the model lives. */
        const char *manufacturer;       /* */
        uint16_t pid, bcd_device;       /* */
        uint8_t patch_offset, patch_to; /* one byte of the configuration descriptor changed; offset 0: none */
        struct rom_lie lies[ROM_LIES_MAX]; /* bytes of all descriptors changed; offset 0: none */
        bool lies_in_dfu_mode_alone;
};

/*
 * When a fault strikes. nth counts from 1 since the model was made, or since rom_clear_faults(); with each_archive blocks are
 * counted anew in each download. 0 is every time.
 */
enum rom_fault_when {
        ROM_AT_REQUEST,  /* the nth request with bRequest == request, an enum rom_request */
        ROM_AT_BLOCK,    /* the nth DNLOAD with data */
        ROM_AT_MANIFEST, /* the nth DNLOAD without */
        ROM_AT_ANY,      /* the nth DFU request of any kind */
        ROM_AT_OTHER,    /* the nth request that is not DFU's: GET_CONFIGURATION, say */
        ROM_AT_STATUS,   /* the first GETSTATUS behind the nth DNLOAD with data */
        ROM_AT_RESULT, /* the nth GETSTATUS that follows a DNLOAD without: it tells what the verification found */
};

enum rom_fault_what {
        ROM_DO_STALL,   /* the request is not carried out */
        ROM_DO_LOSE,    /* this one is never answered, nor carried out; the next one is */
        ROM_DO_HANG,    /* from here on nothing is answered until the power goes */
        ROM_DO_SHORTEN, /* an answer has only value bytes; of what goes out it says that it took value bytes */
        ROM_DO_STATE,   /* an answer that tells a state tells value; the true state does not change */
        ROM_DO_STATUS,  /* a GETSTATUS tells status value; the true one does not change */
        ROM_DO_ERROR, /* the updater gets the pending error value (enum rom_status), then the request goes on */
        ROM_DO_UNPLUG, /* leaves the bus without an answer; value: returns after so many us, in run-time mode; 0: never */
        ROM_DO_FLIP_BIT, /* bit value & 7 of the flash byte at address value >> 3 flips, then the request goes on */
        ROM_DO_DELAY,     /* takes value us more */
        ROM_DO_POLL_TIME, /* a GETSTATUS tells value ms as its bwPollTimeout */
};

struct rom_fault {
        enum rom_fault_when when;
        enum rom_request request; /* ROM_AT_REQUEST alone */
        unsigned nth;
        enum rom_fault_what what;
        uint64_t value;
        bool each_archive; /* ROM_AT_BLOCK and ROM_AT_STATUS alone */
};

/* What tests look at. All count from the model's making, through resets and replugging. */
struct rom_counters {
        unsigned requests[ROM_N_REQUESTS]; /* DFU requests handed in, carried out or not */
        unsigned others;                   /* standard and CDC requests */
        unsigned stalls;
        unsigned strikes;        /* of faults */
        unsigned blocks;         /* DNLOADs with data that were accepted */
        unsigned manifests;      /* DNLOADs without data that were accepted */
        unsigned archives;       /* DNLOADs in dfuIDLE: each began a new archive */
        unsigned raw_downloads;  /* downloads that were no archive and went raw to flash address 0 */
        unsigned dropped;        /* DNLOADs that were accepted and thrown away after an error */
        unsigned violations;     /* wLength over 64: the ROM's memory would have been overrun */
        unsigned detaches;       /* DETACHes that switched to DFU mode */
        unsigned resets;         /* bus resets in DFU mode: each rebooted the chip */
        unsigned runtime_resets; /* bus resets in run-time mode: harmless */
        unsigned erased_sectors; /* */
        unsigned written_pages;  /* */
        unsigned verified_files; /* MD5 sums taken */
        unsigned completed;      /* archives whose every MD5 was right */
};

struct rom_setup {
        uint8_t bmRequestType, bRequest;
        uint16_t wValue, wIndex, wLength;
};

enum rom_answer {
        ROM_ACK,
        ROM_STALL,
        ROM_VANISH,
        ROM_SILENCE,
};

struct rom_reply {
        enum rom_answer answer;
        uint64_t delay_usec; /* from the SETUP until the answer is there, or until it vanishes */
        uint64_t away_usec;  /* ROM_VANISH alone: until rom_attach(); USEC_INFINITY: not by itself */
        size_t len;          /* IN: bytes in data, never over wLength. OUT: bytes taken, wLength */
        uint8_t data[ROM_REPLY_MAX];
};

struct rom;

/* A board with power, attached, and not configured yet. NULL when memory is short. */
struct rom *rom_new(const struct rom_config *config);
struct rom *rom_free(struct rom *rom);
DEFINE_CLEANUP(struct rom, rom_free)

/* bytes are the eight of a SETUP packet. */
struct rom_setup rom_setup_parse(const uint8_t bytes[static 8]);
/* One control transfer. out holds wLength bytes for an OUT request, and is not looked at for IN. */
void rom_control(struct rom *rom, const struct rom_setup *setup, const uint8_t *out, struct rom_reply *ret);
/* The host resets the device. ret->answer is ROM_ACK (harmless) or ROM_VANISH (it reboots). */
void rom_bus_reset(struct rom *rom, struct rom_reply *ret);
/* The host's SET_CONFIGURATION, where a transport does not see it: beds whose kernel is not there. */
void rom_set_configured(struct rom *rom);
/* The board is on the bus again: after ROM_VANISH, or plugged in. */
void rom_attach(struct rom *rom);
/* The plug is pulled: all is forgotten but the flash, the faults and the counters. */
void rom_power_off(struct rom *rom);

/* At most ROM_FAULTS_MAX; more is a mistake in the test and aborts. */
void rom_add_fault(struct rom *rom, const struct rom_fault *fault);
void rom_clear_faults(struct rom *rom);

const struct rom_counters *rom_counters(const struct rom *rom);
enum rom_state rom_state(const struct rom *rom);
/* The updater's error that the next GETSTATUS shows. */
enum rom_status rom_pending_error(const struct rom *rom);
bool rom_in_dfu_mode(const struct rom *rom); /* PP = 02 */
const char *rom_state_to_string(enum rom_state state);

/* What the board shows of itself now. Strings live as long as the model. */
uint16_t rom_pid(const struct rom *rom);
uint16_t rom_bcd_device(const struct rom *rom);
const char *rom_manufacturer(const struct rom *rom);
const char *rom_product(const struct rom *rom);
const char *rom_serial(const struct rom *rom);
void rom_device_descriptor(const struct rom *rom, uint8_t ret[static 18]);
void rom_configuration_descriptor(const struct rom *rom, uint8_t ret[static ROM_CONFIGURATION_SIZE]);

/* The flash: 0xff where nothing was written. Beyond its end reads are 0xff and writes are nothing. */
void rom_flash_read(const struct rom *rom, uint32_t address, void *ret, size_t len);
void rom_flash_fill(struct rom *rom, uint32_t address, uint8_t byte, size_t len); /* what was there before */
bool rom_flash_equals(const struct rom *rom, uint32_t address, const void *data, size_t len);
bool rom_flash_is_blank(const struct rom *rom, uint32_t address, size_t len);
