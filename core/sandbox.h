/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the sandbox of espdfud.service hides from the daemon; systemd/espdfud.service.in says the same to systemd. */
#pragma once

#include "core/util.h"

/* The unit's setting that hides the absolute path, "ProtectHome=yes" say, or NULL: it can be seen. */
const char *sandbox_hides(const char *path);
