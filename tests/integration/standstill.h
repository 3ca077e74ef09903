/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The last words of a test about a process that does not answer, or does not end: what a daemon says of its slots itself,
 * what Linux says of it and of each of its threads, what it has open, its children, and where gdb is there, where in the
 * program each thread stands.
 */
#pragma once

#include <sys/types.h>

/* On stderr. A process that is gone says so. socket: espdfud's, which is asked before anything stops it; NULL: it is none. */
void standstill_show(pid_t pid, const char *socket);
