/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a policy demands of its image: that it is one, that it is the pinned one, that it is for the policy's chip. One
 * answer for the daemon, which flashes by it, and for `espdfuctl config check`, which tells before.
 */
#pragma once

#include "core/config.h"
#include "core/digest.h"
#include "core/image.h"

/* As image_parse(): with mode = any a DFU suffix is all that is asked for. */
int policy_parse_image(const struct config_policy *policy, const uint8_t *data, size_t len,
                       struct findings *findings, struct image **ret);

/*
 * Whether a good image is the one that the policy means. Returns 0; 1 with *ret_why, one line to be freed, that does not
 * name the file; or -ENOMEM.
 */
int policy_check_image(const struct config_policy *policy, const struct image *image,
                       const uint8_t sha256[static SHA256_SIZE], char **ret_why);

/* Whether the image is for a device of these ids: by its DFU suffix, or what is inside. */
bool image_is_for(const struct image *image, uint16_t vid, uint16_t pid);
