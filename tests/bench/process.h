/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What Linux counts of a process, read from /proc. A process that is gone, or a kernel that does not count, ends the bench. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Time on a processor, of all its threads, in nanoseconds. */
uint64_t process_cpu_nsec(pid_t pid);
/* Of its children that it has reaped, and theirs: user and system, in microseconds. Rounded to 1/100 s by the kernel. */
uint64_t process_children_usec(pid_t pid);
/* How often one of its threads went to sleep to wait for something: each was woken since, or sleeps now. */
uint64_t process_wakeups(pid_t pid);
/* A line of a file in /proc/PID, in KiB: process_kib(pid, "status", "RssAnon:"). */
uint64_t process_kib(pid_t pid, const char *file, const char *name);
/* Proportional set size in KiB of the mappings whose file has this in its path. */
uint64_t process_pss_of_kib(pid_t pid, const char *in_path);
/* Writes up to max ids of its children. Returns how many there are. */
size_t process_children(pid_t pid, pid_t *ret, size_t max);
