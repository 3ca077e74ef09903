/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a line has in stock: small images of two files, folders with a file for each board, boards with old bytes in their
 * flash; and what must be in a flash array afterwards.
 */
#pragma once

#include "tests/integration/line.h"

#define STOCK_DATA_ADDRESS 0x9000
#define STOCK_DATA_SIZE    4096

/* What is on a board before its flash begins with old bytes; the rest is blank. */
#define STOCK_FLASH_SIZE   (4 * MIB)
#define STOCK_BOOT_ADDRESS 0x1000
#define STOCK_BOOT_SIZE    3000
#define STOCK_APP_ADDRESS  0x10000
#define STOCK_APP_SIZE     5000
#define STOCK_OLD_BYTE     0xa5
#define STOCK_OLD_SIZE     0x20000 /* bytes */

/* A number of the environment, which says how long a story is, or which. */
unsigned stock_number(const char *name, unsigned otherwise);

/*
 * Lays out a line with two hubs, 1-1 and 1-2, of so many ports, whose daemon says no more than it would in life, and takes this
 * user's folders. Its images, s2.bin and s3.bin, are small ones. environment is used as long as the line is there.
 */
struct stock_environment {
        char owner[40];
        const char *variables[2];
};
void stock_lay_out(struct line *line, struct stock_environment *environment, const char *config,
                   unsigned n_first, unsigned n_second);

/* A file of the line's directory that anybody may read. */
void stock_file(struct line *line, const char *name, const void *data, size_t len);
/* An image for this chip, as a file too. image: released before, to be released. */
void stock_image(struct line *line, const char *name, uint16_t pid, unsigned seed,
                 struct sample_image *image);
/* A folder with n files of STOCK_DATA_SIZE, no two alike: each begins with its name in the line's directory, and a zero. */
void stock_folder(struct line *line, const char *name, unsigned n);

/* ---- flash arrays; with the bed's lock held ---- */

void stock_fill_flash(struct rom *rom);
/* As stock_fill_flash() left it. */
void stock_expect_untouched(const struct rom *rom);
/* Outside the sectors of its image, and of its file, the flash is as it was before, whatever became of the board. */
void stock_expect_nothing_beside(const struct rom *rom, bool has_data);
/* Erased behind the end of each file of the image. */
void stock_expect_blank_ends(const struct rom *rom);
/* Nothing was ever written that was no archive; the image is there, whole, with its file, and nothing beside it. */
void stock_expect_flashed(const struct rom *rom, const struct sample_image *image, bool has_data);
