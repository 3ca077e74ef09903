/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A growing run of bytes that a writer appends to. All zero is empty. Owns its data until that is taken out. */
#pragma once

#include "core/util.h"

struct bytes {
        uint8_t *data;
        size_t len;
        size_t allocated;
};

/* Each returns 0 or -ENOMEM, and then has appended nothing. */
int bytes_append(struct bytes *bytes, const void *data, size_t len);
int bytes_append_zeros(struct bytes *bytes, size_t len);
/* Zeros up to the next multiple of multiple. */
int bytes_pad(struct bytes *bytes, size_t multiple);
void bytes_done(struct bytes *bytes);
