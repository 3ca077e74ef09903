/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/say.h"

#include <stdarg.h>

#include "core/text.h"
#include "show/exit.h"

static void say(FILE *out, const char *before, const char *fmt, va_list ap) _printf_(3, 0);

static void say(FILE *out, const char *before, const char *fmt, va_list ap)
{
        _cleanup_(freep) char *raw = NULL;
        _cleanup_(freep) char *text = NULL;

        if (vasprintf(&raw, fmt, ap) < 0)
                raw = NULL;
        text = raw ? text_escape(raw) : NULL;
        fprintf(out, "%s%s\n", before, text ? text : "out of memory");
}

void client_say(FILE *out, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        say(out, "", fmt, ap);
        va_end(ap);
}

void client_error(const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        say(stderr, "espdfuctl: ", fmt, ap);
        va_end(ap);
}

int client_flush(void)
{
        static bool said;

        errno = 0;
        if (fflush(stdout) != EOF && !ferror(stdout))
                return EXIT_DONE;
        if (!said)
                client_error("cannot write: %s", errno ? strerror(errno) : "a part was lost");
        said = true;
        return EXIT_FAILED;
}
