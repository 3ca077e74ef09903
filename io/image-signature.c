/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "io/image-signature.h"
#include "core/refusal.h"

#include <stdio.h>

#include "io/file.h"

/* Longer files are not even read: what they are is told by their size being another one. */
#define READ_MAX (16 * KIB)

char *image_signature_path(const char *image)
{
        char *path;

        return asprintf(&path, "%s" SIGNATURE_SUFFIX, image) < 0 ? NULL : path;
}

static int read_signature(const char *path, uint8_t ret[static SIGNATURE_SIZE], char **ret_why)
{
        _cleanup_(freep) uint8_t *data = NULL;
        size_t len = 0;
        int r = file_read(path, READ_MAX, &data, &len);

        if (r == -ENOMEM)
                return r;
        if (r == -ENOENT)
                return refuse(ret_why, "no signature beside it (%s)", path);
        if (r == -EFBIG)
                return refuse(ret_why, "its signature (%s) is larger than 16 KiB: expected %d raw bytes",
                              path, SIGNATURE_SIZE);
        if (r < 0)
                return refuse(ret_why, "its signature (%s): %s: expected a regular file that can be read",
                              path, strerror(-r));
        if (len != SIGNATURE_SIZE)
                return refuse(
                        ret_why,
                        "its signature (%s) has %zu bytes: expected the %d raw ones of an Ed25519 signature",
                        path, len, SIGNATURE_SIZE);
        memcpy(ret, data, SIGNATURE_SIZE);
        return 0;
}

static int refuse_unknown(const char *path, const struct trusted_keys *keys, char **ret_why)
{
        static const char why[] = "the image was altered, or another key signed it";

        if (keys->n == 1)
                return refuse(ret_why, "its signature (%s) is not by the key %s: %s", path,
                              keys->items[0].name, why);
        return refuse(ret_why, "its signature (%s) is by none of the %zu keys in %s: %s", path, keys->n,
                      keys->dir, why);
}

int image_signature_check(const char *path, const struct trusted_keys *keys, const uint8_t *data, size_t len,
                          const struct trusted_key **ret_by, char **ret_why)
{
        uint8_t signature[SIGNATURE_SIZE];
        int r = read_signature(path, signature, ret_why);

        if (r == 0 && keys->n == 0)
                return refuse(ret_why,
                              "no key to check its signature by: expected a public key (*.pem) in %s",
                              keys->dir);
        if (r != 0)
                return r;
        r = signature_verify(keys, signature, data, len, ret_by);
        return r == 1 ? refuse_unknown(path, keys, ret_why) : r;
}

int policy_check_signature(const struct config_policy *policy, const struct trusted_keys *keys,
                           const uint8_t *data, size_t len, const struct trusted_key **ret_by, char **ret_why)
{
        _cleanup_(freep) char *path = NULL, *why = NULL;
        int r;

        *ret_by = NULL;
        if (policy->signature != POLICY_SIGNATURE_REQUIRED)
                return 0;
        path = image_signature_path(policy->image);
        if (!path)
                return -ENOMEM;
        r = image_signature_check(path, keys, data, len, ret_by, &why);
        return r == 1 ? refuse(ret_why, "%s; policy says signature = required", why) : r;
}
