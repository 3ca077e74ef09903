/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "io/say.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/text.h"

void say_line(const char *format, ...)
{
        _cleanup_(freep) char *line = NULL;
        _cleanup_(freep) char *escaped = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&line, format, ap) < 0)
                line = NULL;
        va_end(ap);
        escaped = line ? text_escape(line) : NULL;
        fprintf(stderr, "%s: %s\n", program_invocation_short_name, escaped ? escaped : "out of memory");
}
