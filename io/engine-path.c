/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "io/engine-path.h"

#include <unistd.h>

#define ENGINE_NAME "espdfu-engine"

const char *engine_path(char *buf, size_t size)
{
        ssize_t n = readlink("/proc/self/exe", buf, size - sizeof(ENGINE_NAME));
        char *slash;

        if (n > 0 && (size_t)n < size - sizeof(ENGINE_NAME)) {
                buf[n] = '\0';
                slash = strrchr(buf, '/');
                if (slash) {
                        memcpy(slash + 1, ENGINE_NAME, sizeof(ENGINE_NAME));
                        if (access(buf, X_OK) == 0)
                                return buf;
                }
        }
        return PKGLIBEXECDIR "/" ENGINE_NAME;
}
