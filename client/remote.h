/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A station on another machine, as systemctl -H has it: ssh runs `espdfuctl stdio-bridge` there, and what it writes and
 * reads is that machine's socket. */
#pragma once

#include "io/connection.h"

/* What is wrong with [USER@]HOST, or NULL. It becomes an argument of ssh, never a word of a shell. */
const char *remote_host_fault(const char *host);

/* Starts ssh. again: without a question to anybody (BatchMode), and without a word. A negative errno. */
int remote_open(const char *host, bool again, struct connection **ret);

/* Why ssh ended, by its exit status. What espdfuctl there, or ssh here, said of it stands on stderr already. */
const char *remote_trouble(int status);
/* Says so; returns an exit code. */
int remote_ended(const char *host, int status);
