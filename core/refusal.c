/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/refusal.h"

#include <stdarg.h>
#include <stdio.h>

int refuse(char **ret_why, const char *fmt, ...)
{
        va_list ap;
        int n;

        va_start(ap, fmt);
        n = vasprintf(ret_why, fmt, ap);
        va_end(ap);
        if (n < 0)
                *ret_why = NULL;
        return n < 0 ? -ENOMEM : 1;
}
