/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who gets a connection. There are places for ADMISSION_CONNECTIONS_MAX; no user has all of them, no number of users takes what is
 * kept for who may act, and nobody what is kept for root. Who has few connections finds a place where who has many does
 * not. And no client takes a descriptor that boards will need: an engine is started with some.
 */
#pragma once

#include "core/util.h"

enum admission_rank {
        ADMISSION_LOOKS, /* everybody */
        ADMISSION_ACTS,  /* a member of the group */
        ADMISSION_ROOT,  /* root, and the daemon's own user */
        ADMISSION_RANK_MAX_,
};

#define ADMISSION_CONNECTIONS_MAX 96

/* The connections that there are. */
struct admission_counts {
        size_t of_user;
        size_t of_rank[ADMISSION_RANK_MAX_];
};

struct admission_limits {
        size_t of_user;       /* connections of one user */
        size_t few;           /* so many a user may have even when those of most are taken … */
        size_t most;          /* … which they are from so many on, of this rank and below */
        size_t all;           /* of this rank and below */
        uint64_t descriptors; /* left free for others; of fewer than 256 in all, as large a part of them */
};

const struct admission_limits *admission_limits(enum admission_rank rank);

/* What speaks against one more connection, for who asks; NULL: nothing. fd: its descriptor, the lowest that was free;
 * fd_limit: the first number that no descriptor has (RLIMIT_NOFILE). */
const char *admission_refuses(enum admission_rank rank, const struct admission_counts *counts, int fd,
                              uint64_t fd_limit);

/* Whether fd is among those that are kept for boards, from everybody. */
bool admission_reserves(int fd, uint64_t fd_limit);
