/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Text from outside (names in an archive, an application's version) goes to terminals, JSON and the journal:
 * it must be UTF-8 without control characters.
 */
#pragma once

#include "core/util.h"

bool is_printable(const char *s);
/* Replaces each byte that does not belong by '?', and those of characters that turn the writing or are not seen: no text needs
 * them to be read, so nothing is refused for them. */
void make_printable(char *s);
