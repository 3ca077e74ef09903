/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where espdfu-engine is, for those who start it. */
#pragma once

#include "core/util.h"

/* Beside this program, as a build tree has it, in buf; else where it is installed. */
const char *engine_path(char *buf, size_t size);
