/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of the model, for each other alone; a transport or a test includes rom.h. */
#pragma once

#include "tests/rom/rom.h"

#define CPIO_HEADER_SIZE  110
#define CPIO_NAME_MAX     256
#define RECORD_SIZE       88
#define RECORD_NAME_SIZE  64
#define RAW_DOWNLOAD_MAX  231 /* bytes: a download that is not longer is never an archive */
#define FLASH_PARAMS_SIZE 32
#define DFU_INFO_NAME     "dfuinfo0.dat"
#define CPIO_TRAILER_NAME "TRAILER!!!"

/* Flags of a record. */
enum {
        RECORD_TO_RAM = 1,
        RECORD_CALL = 2,
        RECORD_FLASH_PARAMS = 4,
        RECORD_NO_ERASE = 8,
        RECORD_NO_MD5 = 16,
};

struct flash {
        uint8_t **sectors; /* owned; NULL where a sector is blank */
        uint32_t size;     /* bytes */
};

enum cpio_place {
        CPIO_IN_HEADER,
        CPIO_IN_NAME,
        CPIO_IN_DATA,
        CPIO_IN_PADDING,
        CPIO_AFTER_TRAILER,
};

/* What the updater knows of one record of dfuinfo0.dat. */
struct record {
        uint32_t address, flags;
        char name[RECORD_NAME_SIZE + 1];
        uint8_t md5[16];
        uint32_t size; /* of the member that came for it, bytes */
        bool came;     /* to its last byte */
};

/* The updater: fed by DNLOAD, it works on 256 bytes at a time. */
struct archive {
        uint8_t chunk[ROM_PAGE_SIZE];
        size_t chunk_len;
        uint64_t received; /* bytes */
        bool raw, decided; /* whether it is an archive is decided at the first chunk */
        uint32_t raw_address;
        enum rom_status error; /* pending until GETSTATUS or GETSTATE show it */

        enum cpio_place place;
        uint8_t header[CPIO_HEADER_SIZE];
        char name[CPIO_NAME_MAX + 1];
        uint32_t place_len;  /* bytes of the present place that are there */
        uint32_t place_size; /* bytes that it will have */
        uint32_t member_size;
        bool member_is_info;
        struct record *member; /* into records; NULL: the member is dropped */

        uint8_t page[ROM_PAGE_SIZE]; /* of the member, on its way to the flash */
        size_t page_len;
        uint8_t params[FLASH_PARAMS_SIZE];
        uint8_t info[ROM_RECORDS_MAX * RECORD_SIZE];
        struct record records[ROM_RECORDS_MAX];
        size_t n_records;
};

/* The numbers over from, up to to. */
struct span {
        unsigned from, to;
};

#define DIRECTION_IN 0x80 /* in bmRequestType */

struct rom {
        struct rom_config config;
        char serial[18];
        bool configured, hung, away;
        bool wants_dfu_mode; /* the next attach is with PP = 02 */
        bool in_dfu_mode;
        enum rom_state state;
        enum rom_status status;
        uint16_t upload_block;

        struct archive archive;
        struct flash flash;
        uint32_t chip_size; /* what the ROM believes, from flash_params.dat */
        uint64_t work_usec; /* of the request at hand */

        struct rom_fault faults[ROM_FAULTS_MAX];
        size_t n_faults;
        struct rom_counters counters;
        unsigned seen[ROM_N_REQUESTS]; /* DFU requests since the faults were cleared */
        unsigned seen_blocks, seen_manifests, seen_any, seen_others, seen_results;
        unsigned archive_blocks; /* of the present archive */
        /* What the last GETSTATUS was the first to tell about: blocks of all, and of the archive. */
        struct span told, told_of_archive;
        bool tells_result; /* the request at hand is a GETSTATUS behind the empty DNLOAD */
};

int flash_init(struct flash *flash, uint32_t size);
void flash_done(struct flash *flash);
/* Clears bits alone, as NOR flash does. */
void flash_program(struct flash *flash, uint32_t address, const uint8_t *data, size_t len);
/* The whole sector that address is in. */
void flash_erase_sector(struct flash *flash, uint32_t address);
void flash_flip_bit(struct flash *flash, uint64_t bit);
void flash_read(const struct flash *flash, uint32_t address, uint8_t *ret, size_t len);

void archive_begin(struct rom *rom);
void archive_feed(struct rom *rom, const uint8_t *data, size_t len);
/* The last, empty DNLOAD. */
void archive_finish(struct rom *rom);

/* A request came: counts it. dfu: it is one of DFU's, as for the next two. */
void faults_count(struct rom *rom, const struct rom_setup *setup, bool dfu);
/* Does what comes before the request is carried out. False: it is not, and ret is what became of it. */
bool faults_before(struct rom *rom, const struct rom_setup *setup, bool dfu, struct rom_reply *ret);
/* Turns the answer of a request that was carried out. */
void faults_after(const struct rom *rom, const struct rom_setup *setup, bool dfu, struct rom_reply *ret);
void rom_stall(struct rom *rom, struct rom_reply *ret);

/* Returns the length of the descriptor in ret, or -ENOENT, which is a STALL. */
int rom_get_descriptor(const struct rom *rom, uint16_t value, uint8_t ret[static ROM_REPLY_MAX]);
