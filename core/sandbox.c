/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/sandbox.h"

const char *sandbox_hides(const char *path)
{
        static const struct {
                const char *dir, *setting;
        } hidden[] = {
                { "/home/", "ProtectHome=yes" },
                { "/root/", "ProtectHome=yes" },
                { "/tmp/", "PrivateTmp=yes" },
                { "/var/tmp/", "PrivateTmp=yes" },
                { "/run/", "TemporaryFileSystem=/run:ro" },
                { "/dev/shm/", "InaccessiblePaths=-/dev/shm -/dev/mqueue -/dev/hugepages" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
                if (str_has_prefix(path, hidden[i].dir))
                        return hidden[i].setting;
        return NULL;
}
