/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <openssl/evp.h>
#include <zlib.h>

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

uint32_t digest_dfu_crc(const void *data, size_t len)
{
        return ~(uint32_t)crc32_z(0, data, len);
}

void hex_encode(const uint8_t *data, size_t len, char *ret)
{
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < len; i++) {
                *ret++ = digits[data[i] >> 4];
                *ret++ = digits[data[i] & 0xf];
        }
        *ret = '\0';
}

int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -EINVAL;
}

int hex_decode(const char *hex, uint8_t *ret, size_t len)
{
        if (strlen(hex) != 2 * len)
                return -EINVAL;
        for (size_t i = 0; i < len; i++) {
                int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);

                if (high < 0 || low < 0)
                        return -EINVAL;
                ret[i] = (uint8_t)(high << 4 | low);
        }
        return 0;
}
