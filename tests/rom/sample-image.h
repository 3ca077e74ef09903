/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * DFU images for tests, made by a builder of the tests' own: it shares nothing with core/, and can make what a good
 * builder never would. What it makes of a good specification is, byte for byte, what `idf.py dfu` makes.
 */
#pragma once

#include "tests/rom/rom.h"

#define SAMPLE_PART_SIZE   524288 /* bytes: the usual one */
#define SAMPLE_SUFFIX_SIZE 16
#define SAMPLE_FILES_MAX   4

/* One file, cut into parts by the builder. */
struct sample_file {
        const char *name;
        uint32_t address;
        size_t size;   /* bytes */
        unsigned seed; /* of its contents, for sample_fill() */
};

/* A specification; the default of each field is 0. */
struct sample_spec {
        uint16_t pid;
        uint32_t flash_size; /* bytes, for flash_params.dat; 0: there is no such member */
        uint32_t part_size;  /* bytes; 0: SAMPLE_PART_SIZE */
        struct sample_file files[SAMPLE_FILES_MAX];
        size_t n_files;
};

/* One member with its record, to the byte: for archives that are wrong. */
struct sample_part {
        char name[64];
        uint32_t address, flags;
        const uint8_t *data; /* borrowed */
        size_t size;         /* bytes */
        bool unlisted;       /* no record names it */
        bool missing;        /* the record has no member */
        bool wrong_md5;
};

struct sample_image {
        uint8_t *data;       /* owned: sample_image_done() */
        size_t size;         /* of the file, with the suffix */
        size_t payload_size; /* of what is sent: without it */
};

/* Byte i of len: (i * i * seed + i * 7 + seed) & 255. */
void sample_fill(uint8_t *ret, size_t len, unsigned seed);

/* Memory that is short ends the test. */
void sample_image_make(const struct sample_spec *spec, struct sample_image *ret);
/* Three files of 205 kB for an ESP32-S2 with 4 MiB: boot.bin, pt.bin, app.bin. */
void sample_image_make_s2(struct sample_image *ret);
/* Four files of 1.3 MB for an ESP32-S3 with 8 MiB, the last in three parts. */
void sample_image_make_s3(struct sample_image *ret);
void sample_image_from_parts(const struct sample_part *parts, size_t n, uint16_t pid,
                             struct sample_image *ret);
void sample_image_done(struct sample_image *image);
/* Into a file. Returns 0 or a negative errno. */
int sample_image_write(const struct sample_image *image, const char *path);

/*
 * Whether each file of the image stands in the board's flash. Where not, says on stderr which, and at what address the
 * first wrong byte is. image may be any archive of this kind, with or without its suffix.
 */
bool rom_flash_has_image(const struct rom *rom, const uint8_t *image, size_t len);
