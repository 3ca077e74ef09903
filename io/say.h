/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* "PROGRAM: …", one line on stderr, which is the journal where systemd runs it. What others wrote in it is escaped. */
#pragma once

#include "core/util.h"

void say_line(const char *format, ...) _printf_(1, 2);
