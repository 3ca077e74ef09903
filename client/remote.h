/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A station on another machine, as systemctl -H has it: ssh runs `espdfuctl stdio-bridge` there, and what it writes and
 * reads is that machine's socket. */
#pragma once

#include "client/connection.h"

/* What is wrong with [USER@]HOST, or NULL. It becomes an argument of ssh, never a word of a shell. */
const char *remote_host_fault(const char *host);

/* Starts ssh. again: without a question to anybody (BatchMode). A negative errno. */
int remote_open(const char *host, bool again, struct connection **ret);

/* Says why ssh ended, by its exit status; returns an exit code. */
int remote_ended(const char *host, int status);
