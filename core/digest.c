/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <openssl/evp.h>

#include "core/digest.h"

static int digest(const EVP_MD *type, const void *data, size_t len, uint8_t *ret)
{
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        int r;

        if (!context)
                return -ENOMEM;
        r = EVP_DigestInit_ex(context, type, NULL) == 1 && EVP_DigestUpdate(context, data, len) == 1 &&
                            EVP_DigestFinal_ex(context, ret, NULL) == 1
                    ? 0
                    : -EOPNOTSUPP;
        EVP_MD_CTX_free(context);
        return r;
}

int digest_md5(const void *data, size_t len, uint8_t ret[MD5_SIZE])
{
        return digest(EVP_md5(), data, len, ret);
}

int digest_sha256(const void *data, size_t len, uint8_t ret[SHA256_SIZE])
{
        return digest(EVP_sha256(), data, len, ret);
}
