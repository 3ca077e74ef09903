/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A directory of a test's own, empty at its start and gone at its end. Paths in it are relative to it. */
#pragma once

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/util.h"

/* Goes into a new directory; the setup of a cmocka test. */
static inline int enter_temp_dir(void **state)
{
        char *dir = strdup("/tmp/espdfu-test-XXXXXX");

        if (!dir || !mkdtemp(dir) || chdir(dir) < 0)
                return -1;
        *state = dir;
        return 0;
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        (void)st;
        (void)type;
        (void)ftw;
        return remove(path);
}

static inline int leave_temp_dir(void **state)
{
        int r = nftw(*state, remove_one, 8, FTW_DEPTH | FTW_PHYS);

        free(*state);
        return r < 0 || chdir("/") < 0 ? -1 : 0;
}

static inline void make_dir(const char *path)
{
        assert_return_code(mkdir(path, 0755), errno);
}

static inline void write_bytes(const char *path, const void *data, size_t len)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        assert_return_code(fd, errno);
        assert_int_equal(write(fd, data, len), len);
        assert_return_code(close(fd), errno);
}

static inline void write_text(const char *path, const char *text)
{
        write_bytes(path, text, strlen(text));
}

#define in_temp_dir(test) cmocka_unit_test_setup_teardown(test, enter_temp_dir, leave_temp_dir)
