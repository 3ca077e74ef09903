/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The words of a command: numbers, and what kind of board is plugged in. */
#pragma once

#include "tests/vm/port.h"

/* Decimal, or hexadecimal with 0x. False for anything else. */
bool word_to_number(const char *word, uint64_t *ret);

/* The index of word in words, some of which may be NULL, or -1. */
int word_find(const char *const words[], size_t n, const char *word);
#define WORD_FIND(words, word) word_find(words, ARRAY_SIZE(words), word)

/*
 * "S3 dfu mac=7c:…": reads it into plug, whose other fields stay. Takes the words apart.
 * Returns NULL, or the word that is not understood.
 */
const char *words_to_plug(char *words[], size_t n, struct plug *plug);
