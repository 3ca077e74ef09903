/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An image with one board's data in it, sealed in memory for one job; and how many of them there may be. */
#pragma once

#include <systemd/sd-event.h>

#include "daemon/images.h"

/*
 * 128 boards with a full flash of 4 MiB each, or more with the usual images of 1 to 2 MiB. A station has 8 GiB and up;
 * its jobs-max is what bounds it in practice.
 */
#define COMPOSED_MAX       512u /* as many as slots can be configured */
#define COMPOSED_BYTES_MAX (512 * MIB)

/* All that there are. All zero is none. */
struct composed_store {
        size_t n;
        uint64_t bytes;
        bool wanted;             /* one was refused for want of room since the last was freed */
        uint64_t last_iteration; /* of the event loop, in which one was made */
};

struct composed {
        struct composed_store *store; /* borrowed */
        int fd;                       /* the memfd; sealed */
        size_t len;                   /* of the file, suffix and all */
};

enum {
        COMPOSED_REFUSED = 1, /* *ret_why, to be freed: the data does not go in */
        COMPOSED_FULL,  /* *ret_why, to be freed: there is no room for one more until another is freed */
        COMPOSED_LATER, /* one was made in this turn of the event loop already */
};

/*
 * Composing takes some 6 ms per MiB, for it ends with a validation of the whole: so one in each turn of the loop,
 * which has other boards to hear. Returns 0, one of the above, or a negative errno.
 */
int composed_make(struct composed_store *store, sd_event *event, const struct image_copy *base,
                  uint32_t address, const uint8_t *data, size_t len, struct composed **ret, char **ret_why);
/* The same answer before there is any data: 0, COMPOSED_FULL, COMPOSED_LATER, or a negative errno. len: as far as it is known. */
int composed_may_make(struct composed_store *store, sd_event *event, const struct image_copy *base,
                      size_t len, char **ret_why);
/* Whether data of this size has its place there in the image. 0, COMPOSED_REFUSED, or a negative errno. */
int composed_check(const struct image_copy *base, uint32_t address, size_t len, char **ret_why);
struct composed *composed_free(struct composed *composed);
DEFINE_CLEANUP(struct composed, composed_free)
