/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/conninfo.h"

#include <stdio.h>

char *conninfo_fault(const struct conninfo_parser *parser, const char *connection)
{
        char *error = NULL, *text = NULL;
        PQconninfoOption *options = parser->parse(connection, &error);

        if (options) {
                parser->free(options);
                return NULL;
        }
        if (asprintf(&text, "connection: %.*s: expected words key=value, or a URI, as libpq has them",
                     error ? (int)strcspn(error, "\n") : 0, error ? error : "") < 0)
                text = NULL;
        if (error)
                parser->freemem(error);
        return text;
}
