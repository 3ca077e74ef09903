/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What people hold: the whole station, or single ports, each with a text that says who and why ("held by joe: new jig").
 * Pure: the list, and the JSON text that keeps it over a restart. daemon/hold.c reads and writes the file.
 */
#pragma once

#include "core/config.h"

#define HOLD_REASON_MAX 200       /* bytes of what a person gives as the reason */
#define HOLD_TEXT_MAX   320       /* bytes, with the NUL: who and why */
#define HOLDS_MAX       1024      /* ports */
#define HOLDS_FILE_MAX  (4 * MIB) /* bytes of the JSON text */

struct hold {
        char *path, *port; /* ID_PATH and port path; one of them may be NULL */
        char *text;
};

/* All zero: nothing is held. */
struct holds {
        char *station; /* the text, or NULL */
        struct hold *ports;
        size_t n_ports;
};

void holds_done(struct holds *holds);
/* A copy that owns its texts. 0 or -ENOMEM; *ret is overwritten, not released. */
int holds_copy(const struct holds *holds, struct holds *ret);

/* "held by WHO" or "held by WHO: REASON"; reason may be NULL. Cut to the buffer. */
void hold_text(char ret[HOLD_TEXT_MAX], const char *who, const char *reason);

/* Of this port alone: the text (borrowed), or NULL. */
const char *holds_of_port(const struct holds *holds, const char *path, const char *port);
/* Replaces what is there. 0, -ENOMEM, -ENOBUFS with HOLDS_MAX ports. */
int holds_put_port(struct holds *holds, const char *path, const char *port, const char *text);
/* Whether there was one. */
bool holds_remove_port(struct holds *holds, const char *path, const char *port);

/* Of the ports with this text that the configuration does not name, the oldest are removed until max are left. How many were. */
size_t holds_bound_unnamed(struct holds *holds, const char *text, const struct config *config, size_t max);

/* The text for the file, with a newline at its end; to be freed. 0 or -ENOMEM. */
int holds_encode(const struct holds *holds, char **ret);
/* text need not be NUL-terminated. 0; 1 when it is not what holds_encode() writes; -ENOMEM. */
int holds_parse(const char *text, size_t len, struct holds *ret);
