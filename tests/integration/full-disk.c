/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Preloaded into a daemon whose ledger's disk is full as long as the file exists that ESPDFU_FULL_DISK names: what is written
 * to the ledger's files fails then with ENOSPC, as the kernel would have it. Everything else has a disk of its own.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* The function that would have been called without us. */
#define NEXT(name, ...) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))(__VA_ARGS__)

static int is_on_full_disk(int fd)
{
        const char *sign = getenv("ESPDFU_FULL_DISK");
        char link[64], path[512];
        ssize_t n;

        if (!sign || access(sign, F_OK) < 0)
                return 0;
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, path, sizeof(path) - 1);
        path[n < 0 ? 0 : n] = '\0';
        return strstr(path, "/ledger.sqlite") != NULL;
}

#define WRAP(name, offset)                                                                                   \
        EXPORT ssize_t name(int fd, const void *data, size_t len, offset at)                                 \
        {                                                                                                    \
                if (!is_on_full_disk(fd))                                                                    \
                        return NEXT(name, fd, data, len, at);                                                \
                errno = ENOSPC;                                                                              \
                return -1;                                                                                   \
        }

WRAP(pwrite, off_t)
WRAP(pwrite64, off64_t)
