/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The signature of an image, in a file of its own beside it: IMAGE.sig, 64 raw bytes. */
#pragma once

#include "core/config.h"

#define SIGNATURE_SUFFIX ".sig"

/* "/srv/gizmo.bin.sig", to be freed; NULL when out of memory. */
char *image_signature_path(const char *image);

/*
 * Whether the signature in the file at path is over data, and by one of the keys. Returns 0 and *ret_by (borrowed from
 * keys; may be NULL); 1 with *ret_why, one line to be freed, that does not name the image; -ENOMEM, or -EOPNOTSUPP.
 */
int image_signature_check(const char *path, const struct trusted_keys *keys, const uint8_t *data, size_t len,
                          const struct trusted_key **ret_by, char **ret_why);

/*
 * What a policy demands of the bytes of its image, before anybody looks at what is in them: the signature beside it, where
 * the policy says so. The answer is about these very bytes, so that the ones that are flashed are to be passed.
 * Results as image_signature_check(); *ret_by is NULL where no signature was asked for.
 */
int policy_check_signature(const struct config_policy *policy, const struct trusted_keys *keys,
                           const uint8_t *data, size_t len, const struct trusted_key **ret_by,
                           char **ret_why);
