/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What libpq connects with, looked at by libpq without connecting. */
#pragma once

#include <libpq-fe.h>

#include "core/util.h"

/* libpq's own; espdfu-fleet looks for them when it wants them. */
struct conninfo_parser {
        __typeof__(PQconninfoParse) *parse;
        __typeof__(PQconninfoFree) *free;
        __typeof__(PQfreemem) *freemem;
};

/* "connection: missing \"=\" …", to be freed; NULL where libpq takes it. The text itself is not in it: it may have a password. */
char *conninfo_fault(const struct conninfo_parser *parser, const char *connection);
