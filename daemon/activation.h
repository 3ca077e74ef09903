/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Socket activation: systemd listens, clients may wait there already, and the daemon takes the socket over. */
#pragma once

/* The socket that systemd passed, -1 where it passed none. Logs what it passed too much or amiss: -EINVAL. To be called
 * once, before descriptors are opened. */
int activation_socket(void);

/* The path that fd is bound to, or NULL where it has none; free() it. */
char *activation_path(int fd);

/*
 * The clients that wait on fd are let go without an answer. For a start that will fail however often it is tried: a client
 * that goes on waiting would have systemd start the service over and over.
 */
void activation_turn_away(int fd);
