/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kinds of value in a configuration, each as text becomes it. All return 0, or -EINVAL when the text is not of the
 * form; *ret is untouched then.
 */
#pragma once

#include "core/util.h"

/* Decimal digits alone, min to max. */
int value_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

/* "500ms", "2s", "1min", "1h", a plain number counts seconds; 0 to max. All in microseconds. */
int value_time(const char *text, uint64_t max, uint64_t *ret);

/* "365d": whole days, min to max. */
int value_days(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

/* Whether text names a slot, a policy or a station: 1 to max letters, digits and . _ + : @ -, a letter or digit first. */
bool value_is_name(const char *text, size_t max);

/* Whether text is a port path as the kernel has it: bus, -, up to six ports, "1-4.1". */
bool value_is_port(const char *text);

/* Whether text can be udev's ID_PATH of a USB device: printable, no globs, and where it has udev's "usb-0:" a chain of
 * ports after it and no interface ("…-usb-0:4.1:1.0" is that of a tty on the device). */
bool value_is_id_path(const char *text);

/* "0x9000:/srv/gizmo/nvs": an address in flash, decimal or with 0x, at a sector's start; and an absolute path, of which
 * *ret_path gets a copy without doubled slashes and without one at the end (what it held before is freed). -ENOMEM, too. */
int value_place(const char *text, uint32_t *ret_address, char **ret_path);
