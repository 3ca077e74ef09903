/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/service-view.h"

#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

#include "core/sandbox.h"

#define SERVICE_USER "espdfu"

static char *sandbox_fault(const char *setting)
{
        char *text;

        return asprintf(&text,
                        "espdfud.service does not see it, its unit has %s: move it to /srv or /var/lib",
                        setting) < 0
                       ? NULL
                       : text;
}

/* bits: of the last of the three digits of a mode. */
static bool may(const struct stat *st, uid_t uid, gid_t gid, mode_t bits)
{
        if (st->st_uid == uid)
                return st->st_mode & bits << 6;
        return st->st_mode & (st->st_gid == gid ? bits << 3 : bits);
}

/* What cannot be looked at is not told about: it may be right. */
static char *fault_of(const char *path, const char *user, uid_t uid, gid_t gid)
{
        struct stat st;
        char *text;

        if (uid == 0 || stat(path, &st) < 0 || may(&st, uid, gid, S_ISDIR(st.st_mode) ? S_IXOTH : S_IROTH))
                return NULL;
        return asprintf(&text, "user %s may not %s %s, which has mode %04o: chmod %s", user,
                        S_ISDIR(st.st_mode) ? "enter" : "read", path, (unsigned)(st.st_mode & 07777),
                        S_ISDIR(st.st_mode) ? "o+x" : "o+r") < 0
                       ? NULL
                       : text;
}

char *service_view_mode_fault(const char *path, const char *user, uid_t uid, gid_t gid)
{
        _cleanup_(freep) char *whole = realpath(path, NULL);

        for (char *slash = whole ? strchr(whole + 1, '/') : NULL; slash; slash = strchr(slash + 1, '/')) {
                char *fault;

                *slash = '\0';
                fault = fault_of(whole, user, uid, gid);
                *slash = '/';
                if (fault)
                        return fault;
        }
        return whole ? fault_of(whole, user, uid, gid) : NULL;
}

char *service_view_fault(const char *path)
{
        _cleanup_(freep) char *target = realpath(path, NULL);
        const struct passwd *user = getpwnam(SERVICE_USER);
        const char *setting = sandbox_hides(path);

        if (!setting && target)
                setting = sandbox_hides(target);
        if (setting)
                return sandbox_fault(setting);
        return user ? service_view_mode_fault(path, SERVICE_USER, user->pw_uid, user->pw_gid) : NULL;
}
