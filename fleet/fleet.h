/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the verbs of espdfu-fleet have in common. */
#pragma once

#include "fleet/settings.h"
#include "show/exit.h"
#include "show/options.h"

/* main()'s way to call them. argv[0] is the verb. They return an exit code. */
int verb_status(int argc, char **argv);
int verb_watch(int argc, char **argv);
int verb_history(int argc, char **argv);

/* The configuration, to be released; what a verb does not need of it may be missing. The broker's files are looked at where it is
 * needed. EXIT_DONE, or all is said. */
int fleet_settings(bool needs_broker, struct settings *ret);
/* Of the configuration that was read: says that this key cannot be used. EXIT_USAGE. */
int fleet_bad_setting(const struct settings *settings, const char *section, const char *key,
                      const char *text);
int fleet_no_memory(void);
/* EXIT_DONE; EXIT_USAGE, and it is said, where no station can be called so. name NULL: none was told. */
int fleet_check_station(const char *verb, const char *name);
