/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The directory that the daemon's socket is in. Who can write there can put a socket of his own in its place, and would
 * be told what people think they tell the station.
 */
#pragma once

/* Makes the directory of the socket at path where it is missing; its parent must be there. Logs why it fails. */
int socket_dir_make(const char *path);

/* Whether root or the daemon's own user has the directory, and nobody else may write there (but with the sticky bit).
 * Returns 0, 1 if not (logged, with what to do), or a negative errno (logged). */
int socket_dir_check(const char *path);
