/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "web/say.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/text.h"

void web_say(const char *format, ...)
{
        _cleanup_(freep) char *escaped = NULL;
        char line[1024];
        va_list ap;

        va_start(ap, format);
        vsnprintf(line, sizeof(line), format, ap);
        va_end(ap);
        escaped = text_escape(line);
        fprintf(stderr, "espdfu-web: %s\n", escaped ? escaped : "out of memory");
}
