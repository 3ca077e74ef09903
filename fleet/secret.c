/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/secret.h"

#include <sys/stat.h>

bool secret_is_open(const char *path)
{
        struct stat st;

        return stat(path, &st) == 0 && (st.st_mode & S_IROTH) != 0;
}
