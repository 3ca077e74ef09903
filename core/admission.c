/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/admission.h"

/* An engine takes three while it runs, and four more for a moment when it is started; the ledger, a configuration and an image
 * that are read, some for a moment. */
static const struct admission_limits table[ADMISSION_RANK_MAX_] = {
        [ADMISSION_LOOKS] = { .of_user = 16, .few = 4, .most = 64, .all = 80, .descriptors = 64 },
        [ADMISSION_ACTS] = { .of_user = 16, .few = 4, .most = 84, .all = 92, .descriptors = 48 },
        [ADMISSION_ROOT] = { .of_user = 32, .few = 4, .most = 96, .all = 96, .descriptors = 40 },
};

const struct admission_limits *admission_limits(enum admission_rank rank)
{
        return &table[rank];
}

static bool is_reserved(enum admission_rank rank, int fd, uint64_t fd_limit)
{
        uint64_t left = table[rank].descriptors;

        return (uint64_t)fd + (fd_limit < 256 ? fd_limit * left / 256 : left) >= fd_limit;
}

bool admission_reserves(int fd, uint64_t fd_limit)
{
        return is_reserved(ADMISSION_ROOT, fd, fd_limit);
}

const char *admission_refuses(enum admission_rank rank, const struct admission_counts *counts, int fd,
                              uint64_t fd_limit)
{
        const struct admission_limits *limits = &table[rank];
        size_t n = 0, n_all = 0;

        for (unsigned i = 0; i < ADMISSION_RANK_MAX_; i++) {
                n += i <= rank ? counts->of_rank[i] : 0;
                n_all += counts->of_rank[i];
        }
        if (counts->of_user >= limits->of_user)
                return "this user has as many connections as one may have";
        if (n >= limits->all || n_all >= ADMISSION_CONNECTIONS_MAX)
                return "all places are taken";
        if (n >= limits->most && counts->of_user >= limits->few)
                return "most places are taken, and this user has some";
        if (is_reserved(rank, fd, fd_limit))
                return "the descriptors that are left are kept for boards";
        return NULL;
}
