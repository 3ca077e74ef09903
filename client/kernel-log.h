/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's messages: those of the last hour of this boot, or those of a file. Bounded in number, size and time. */
#pragma once

#include "core/kernel-log.h"

/* 0; or -EACCES: who asks may read neither the journal nor /dev/kmsg. *ret is all zero before. */
int kernel_log_read(struct kernel_log *ret);
/* Of an open /dev/kmsg, or what gives its records in the same way: one a read, EAGAIN at the end. 0 or a negative errno. */
int kernel_log_read_records(int fd, struct kernel_log *ret);
/* What dmesg or journalctl -k wrote. 0 or a negative errno. */
int kernel_log_read_file(const char *path, struct kernel_log *ret);
