/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A DFU image: what `idf.py dfu` makes and the ROM takes. A CPIO newc archive (dfuinfo0.dat, flash_params.dat, the
 * files), zeros up to a multiple of 10240, then the 16-byte DFU suffix that stays on the host.
 * One parser, three users: the daemon, `espdfuctl image info`, the fuzzer.
 * Source: docs/rom-dfu.md, "The archive that the chip is fed".
 */
#pragma once

#include "core/chip.h"
#include "core/finding.h"

#define IMAGE_SIZE_MAX    (64 * MIB) /* bytes of a file that is looked at at all */
#define IMAGE_TOLD_MAX    2048       /* bytes: what a person says that an image of theirs is called */
#define IMAGE_RECORDS_MAX 64         /* the ROM's own limit */
#define IMAGE_SUFFIX_SIZE 16
#define IMAGE_NAME_SIZE   64
#define IMAGE_BLOCK_SIZE  10240 /* the payload is padded with zeros to a multiple */
#define IMAGE_RAW_MAX     231   /* a download of up to this many bytes the ROM takes for no archive */
#define FLASH_SECTOR_SIZE 4096
#define FLASH_SIZE_MIN    (1 * MIB) /* what flash_params.dat may say */
#define FLASH_SIZE_MAX    (256 * MIB)

/* Flags of a record in dfuinfo0.dat. */
enum {
        IMAGE_TO_RAM = 1,
        IMAGE_CALL = 2,
        IMAGE_FLASH_PARAMS = 4,
        IMAGE_NO_ERASE = 8,
        IMAGE_NO_MD5 = 16,
};

/* One record of dfuinfo0.dat with the archive member that it names. */
struct image_member {
        char name[IMAGE_NAME_SIZE + 1]; /* NUL-terminated */
        uint32_t address;               /* in flash */
        uint32_t flags;
        uint8_t md5[16];
        bool md5_ok;   /* the data has that MD5 */
        size_t offset; /* of its data in the image */
        size_t size;   /* bytes */
};

/* What a file is, as far as its bytes tell. */
enum image_file_kind {
        IMAGE_FILE_DATA,
        IMAGE_FILE_BOOTLOADER, /* an ESP image that is no application */
        IMAGE_FILE_APPLICATION,
        IMAGE_FILE_PARTITION_TABLE,
        IMAGE_FILE_KIND_MAX_,
};
DECLARE_WORDS(image_file_kind)

/* One file as the builder was given it: consecutive parts (name, name.1, …) joined. flash_params.dat is none. */
struct image_file {
        char name[IMAGE_NAME_SIZE + 1];
        uint32_t address;
        size_t size;
        size_t first_member, n_members; /* into members */
        enum image_file_kind kind;
        char partition[17];                 /* label of the partition that it lies in, or "" */
        char app_name[33], app_version[33]; /* of an application, or "" */
};

struct image {
        const struct chip
                *chip;     /* by the suffix's PID, or by the ESP images inside where that matches everything;
                                  * NULL if it is none that we know */
        uint16_t vid, pid; /* from the suffix; 0xffff matches everything */
        size_t payload_size; /* what is sent: everything but the suffix */
        uint32_t flash_size; /* bytes, from flash_params.dat */
        struct image_member *members;
        size_t n_members;
        struct image_file *files;
        size_t n_files;
        char app_name[33]; /* from the application's description; "" if there is none */
        char app_version[33];
        uint64_t erase_bytes; /* whole sectors that the ROM will erase */
        uint64_t flash_bytes; /* bytes that it will write to flash and read back */
};

/*
 * Parses and validates an image of len bytes. What is wrong, or doubtful, goes to findings, each with the member, the
 * offset and what was expected. An error: the ROM would refuse it, the board would be wrong, or the record would say
 * what is not so. A warning: odd, but it works.
 * Returns 0 and *ret (to be freed) when it may be sent, 1 when findings holds at least one error (*ret untouched),
 * -ENOMEM, or -EOPNOTSUPP (no MD5 on this system). data is only borrowed during the call. findings may hold what
 * others found before.
 */
int image_parse(const uint8_t *data, size_t len, struct findings *findings, struct image **ret);
struct image *image_free(struct image *image);
DEFINE_CLEANUP(struct image, image_free)

/* As image_parse(), to look at an image that must not be sent: returns 0 and *ret, as far as it could be read, also
 * where there are errors. */
int image_inspect(const uint8_t *data, size_t len, struct findings *findings, struct image **ret);

/* As image_parse() but for any DFU 1.1 file (mode = any): the suffix alone is checked. */
int image_parse_suffix_only(const uint8_t *data, size_t len, struct findings *findings, struct image **ret);
