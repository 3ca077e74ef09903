/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The folders that board-data names: one file for each board. Whoever can write there decides who a board is, so folder
 * and files must belong to one owner, root, and nobody else may write there.
 * Source: espdfud.conf(5), "DATA FOR EACH BOARD".
 */
#pragma once

#include <sys/types.h>

#include "core/util.h"

#define DATA_FOLDER_NAMES_MAX 100000 /* names that are looked at; a folder with more is refused */

/* root; in tests, which run as anybody, the user whose number stands in ESPDFU_DATA_OWNER. */
uid_t data_folder_owner(void);

/* Names of regular files without a dot at their start. */
struct data_names {
        char **names;
        size_t n, room;
};
void data_names_done(struct data_names *names);
/* A copy of name, as the last one. 0 or -ENOMEM. */
int data_names_add(struct data_names *names, const char *name);
/* Into natural order: unit-9.bin before unit-10.bin. */
void data_names_sort(struct data_names *names);

/* A folder that is being read, some names at a time. All zero is none. */
struct data_folder {
        void *dir; /* DIR */
        size_t looked_at;
};
void data_folder_close(struct data_folder *folder);
/* 0; 1 with *ret_why, one line that names the folder and is to be freed; or -ENOMEM. */
int data_folder_open(const char *path, uid_t owner, struct data_folder *ret, char **ret_why);

#define DATA_FOLDER_END 2
/* Looks at max entries and adds what are names to those that are there, in any order. 0: and there may be more;
 * DATA_FOLDER_END: that was all; or as data_folder_open(). */
int data_folder_read(struct data_folder *folder, const char *path, size_t max, struct data_names *names,
                     char **ret_why);

/* What is in a folder, in the order of strcmp(). Returns 0; 1 with *ret_why, one line that names the folder and is to be freed; or -ENOMEM. */
int data_folder_list(const char *folder, uid_t owner, struct data_names *ret, char **ret_why);

/* The same for one file: whose it is, its mode, its size, that it can be opened; what is in it is not read. */
int data_file_check(const char *path, uid_t owner, size_t *ret_size, char **ret_why);

/* The same, and reads it. *ret is to be freed. 1 also when it changed while it was read. */
int data_file_read(const char *path, uid_t owner, uint8_t **ret, size_t *ret_len, char **ret_why);
