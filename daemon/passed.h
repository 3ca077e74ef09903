/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptors that a peer passes beside its bytes (SCM_RIGHTS): at most one at a time, for one call, and closed with it.
 * It is for the call whose byte came last with it; so a peer sends such a call by itself. More than one for a call is none.
 *
 * Closing a descriptor that a peer made may take as long as the peer likes (daemon/closer.h), and the kernel closes those that
 * nobody takes when their bytes are taken. So bytes are looked at before they are taken, and stay where they are if that would
 * close something.
 */
#pragma once

#include "core/util.h"

/* All zero but for fd = -EBADF is none. */
struct passed {
        int fd;         /* owned; -EBADF: none */
        uint64_t n;     /* messages that have come, whole */
        uint64_t call;  /* which of them, from 0, fd or spoiled is about */
        bool waits;     /* call is still to be taken */
        bool spoiled;   /* there was more than one for it, or it could not be taken */
        uint64_t taken; /* messages that were taken from those that have come */
};

/*
 * As recv(2), without waiting: how many bytes, or a negative errno. passed NULL: the peer may pass nothing. *ret_stays: with
 * these bytes came more than is taken: they are told this once and stay in the socket, which must not be read any more, and
 * is to be closed by closer_close(). Else a descriptor that came with them is kept, or closed.
 */
ssize_t passed_receive(struct passed *passed, int socket, void *data, size_t size, bool *ret_stays);
/* The next message is looked at: what did not come with it is none of its. */
void passed_next(struct passed *passed);
/* What came with the message that is looked at: a descriptor, the caller's from now on, who has it closed by closer_close();
 * -EBADF: none; -EINVAL: several. */
int passed_take(struct passed *passed);
/* The message is done with. */
void passed_drop(struct passed *passed);
void passed_done(struct passed *passed);
