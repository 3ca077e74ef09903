/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A drop-in with slots, to which names are added: all that stands in it stays as it is, but for the sections that are
 * replaced. Those go with their keys and their comments, up to the next section.
 */
#pragma once

#include "core/util.h"

struct named_port {
        char *name;
        char *path, *port; /* either may be NULL; the path is written where there is one */
};

/* The line of [slot NAME] in text, from 1; 0: there is none. */
unsigned slot_file_line(const char *text, const char *name);

/* Whether it can be written: a daemon that was taken over, or another machine's, may say anything of a board's place, and a
 * line more would be a policy. */
bool named_port_is_sound(const struct named_port *slot);

/* The new text, to be freed: without the sections of these slots, and with new ones at its end. 0, -EINVAL (one is not sound)
 * or -ENOMEM. */
int slot_file_put(const char *text, const struct named_port *slots, size_t n, char **ret);
