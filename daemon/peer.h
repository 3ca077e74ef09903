/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is at the other end of a Unix socket, as the kernel noted when it connected. */
#pragma once

#include "daemon/server.h"

#define PEER_NAME_MAX 48 /* bytes, with the NUL */

/* ret->may_act: root, the daemon's own user, or a member of group ((gid_t)-1: nobody by group). */
int peer_of(int fd, gid_t group, struct server_peer *ret);
/* "joe"; the number where the user has no name. */
void peer_name(uid_t uid, char ret[PEER_NAME_MAX]);
