/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "io/say.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/text.h"

void say_line(const char *format, ...)
{
        _cleanup_(freep) char *escaped = NULL;
        char line[1024];
        va_list ap;

        va_start(ap, format);
        vsnprintf(line, sizeof(line), format, ap);
        va_end(ap);
        escaped = text_escape(line);
        fprintf(stderr, "%s: %s\n", program_invocation_short_name, escaped ? escaped : "out of memory");
}
