/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files with a key or a password, which are nobody else's. */
#pragma once

#include "core/util.h"

#define SECRET_IS_OPEN "everybody may read it: expected chmod o-r"

/* Whether everybody may read the file at path; not where it cannot be looked at. */
bool secret_is_open(const char *path);
