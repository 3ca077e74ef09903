/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/peer.h"

#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/printable.h"

#define GROUPS_MAX 65536 /* the kernel's NGROUPS_MAX */

/* Whether gid is among the supplementary groups of the peer (SO_PEERGROUPS: since Linux 4.13). */
static bool peer_has_group(int fd, gid_t gid)
{
        socklen_t size = GROUPS_MAX * sizeof(gid_t);
        _cleanup_(freep) gid_t *groups = malloc(size);

        if (!groups || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
                return false;
        for (size_t i = 0; i < size / sizeof(gid_t); i++)
                if (groups[i] == gid)
                        return true;
        return false;
}

int peer_of(int fd, gid_t group, struct server_peer *ret)
{
        struct ucred credentials;
        socklen_t size = sizeof(credentials);
        bool may_act;

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
                return -errno;
        may_act = credentials.uid == 0 || credentials.uid == geteuid();
        if (!may_act && group != (gid_t)-1)
                may_act = credentials.gid == group || peer_has_group(fd, group);
        *ret = (struct server_peer){ .uid = credentials.uid, .pid = credentials.pid, .may_act = may_act };
        return 0;
}

void peer_name(uid_t uid, char ret[PEER_NAME_MAX])
{
        struct passwd entry, *found = NULL;
        char buffer[4096];

        if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) == 0 && found && *found->pw_name)
                snprintf(ret, PEER_NAME_MAX, "%s", found->pw_name);
        else
                snprintf(ret, PEER_NAME_MAX, "%lu", (unsigned long)uid);
        make_printable(ret);
}
