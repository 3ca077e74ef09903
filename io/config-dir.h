/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the configuration lies: DIR/espdfud.conf, then every *.conf of DIR/espdfud.conf.d and of the vendor's
 * espdfud.conf.d in the order of their names. A drop-in in DIR masks the vendor's of the same name; an empty one, or a
 * symbolic link to /dev/null, leaves nothing of it. The keys that sign images are beside it, io/key-dir.h.
 */
#pragma once

#include "core/config.h"

#define CONFIG_DIR        SYSCONFDIR "/espdfu" /* unless another one is named */
#define CONFIG_VENDOR_DIR PKGLIBDIR /* with CONFIG_DIR alone: a directory that somebody names is the whole */

/*
 * vendor_dir may be NULL, and need not be there; neither need dir/espdfud.conf, but dir must.
 * Returns 0 and *ret, 1 when something is wrong with what the files say, or with a file (errors has a line for each
 * thing, *ret is untouched), or a negative errno: dir cannot be opened, or out of memory.
 */
int config_load(const char *dir, const char *vendor_dir, struct config **ret, struct config_errors *errors);
