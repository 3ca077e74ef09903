/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Puts what one board alone gets (its serial number, its keys) into an image that all boards get: the image's archive
 * anew, with one file more or another one. All that is not touched stays as it was, to the byte.
 */
#pragma once

#include "core/image.h"

#define BOARD_DATA_MAX                                                                                       \
        (4 * MIB) /* bytes: the largest partition that data for one board is seen in, and then some */
#define BOARD_DATA_NAME "board-data.bin" /* of the member, where it replaces none */

/* Borrowed. */
struct board_data_piece {
        uint32_t address; /* in flash; a multiple of FLASH_SECTOR_SIZE */
        const uint8_t *data;
        size_t size; /* bytes */
};

/*
 * Whether data of this size may lie at this address of the image's flash: within the flash; if the image has a
 * partition table, in a data partition that begins there and is large enough; over no other file than one that begins
 * exactly there. base is the whole image of base_len bytes, image what image_parse() made of it.
 * Returns 0, 1 with *fault (its text; the offset means nothing), or a negative errno from a digest.
 */
int image_compose_check(const uint8_t *base, size_t base_len, const struct image *image, uint32_t address,
                        size_t size, struct fault *fault);

/*
 * The image with the piece in it: a file that begins at its address is replaced with all its parts, and its name stays.
 * What comes out has passed image_parse(). Returns 0, *ret (to be freed) and *ret_len; 1 with *fault, as above;
 * -ENOMEM, or -EOPNOTSUPP (no MD5 on this system).
 */
int image_compose(const uint8_t *base, size_t base_len, const struct image *image,
                  const struct board_data_piece *piece, uint8_t **ret, size_t *ret_len, struct fault *fault);
