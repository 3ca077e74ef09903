/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `espdfuctl config`: what is wrong with a configuration, without the daemon and before it reads it. */
#pragma once

/* argv[0] is "config". Returns the exit code: 0 right, 1 something is wrong (told on stderr), 2 usage. */
int verb_config(int argc, char **argv);
