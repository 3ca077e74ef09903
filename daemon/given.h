/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images that people give with an order (espdfuctl flash --image): bytes in a sealed memfd, so that no file is read on a
 * person's behalf, and nothing changes while it is looked at. They are copied once and are then as every image is. A policy
 * may demand of them what it demands of its own: its mode, a signature by a key of ours, its pin, its chip.
 */
#pragma once

#include "daemon/images.h"

/* That are in memory: what their jobs hold is bounded, for each is its own. */
#define GIVEN_BYTES_MAX (512 * MIB)

struct given_image {
        int fd;                   /* the memfd, borrowed */
        const char *path;         /* as told; printable, not empty */
        const char *who;          /* gave it: a name, or a uid */
        const uint8_t *signature; /* SIGNATURE_SIZE bytes, or NULL: none came with it */
};

/* All that there are. All zero is none. */
struct given_store {
        struct image_copy **items; /* owned, with a reference each */
        size_t n;
        uint64_t bytes_max; /* 0: GIVEN_BYTES_MAX */
};

/*
 * A copy of the image, if it is a good one that the policy takes. The same image given again is the same copy. policy NULL: no
 * policy counts, and the image is for the mask ROM. Results as images_get().
 */
int given_take(struct given_store *store, const struct config_policy *policy, const struct trusted_keys *keys,
               const struct given_image *given, struct image_copy **ret, char **ret_why);

/* Whether the policy takes a copy that was made before: it may be another policy, or keys may be others. Results as
 * images_get(). */
int given_check(const struct image_copy *copy, const struct config_policy *policy,
                const struct trusted_keys *keys, char **ret_why);

/* Drops what no job holds. */
void given_prune(struct given_store *store);
