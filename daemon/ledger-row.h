/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An attempt's row and an attempt_record: which column is which field, bound and read by one table. */
#pragma once

#include <sqlite3.h>

#include "core/status.h"

/* What a text may have at most, in bytes: boards, files and clients have no other bound here. */
#define LEDGER_NAME_MAX    255
#define LEDGER_PATH_MAX    4095
#define LEDGER_MESSAGE_MAX 1023

/* An attempt's columns, in the order of the table in ledger-row.c. */
#define LEDGER_COLUMNS                                                                                       \
        "id, sequence, job, attempt, slot, port, path, chip, mac, policy, image_path, image_name, "          \
        "image_version, image_sha256, boot_id, clock_synchronized, start_realtime_usec, end_realtime_usec, " \
        "duration_usec, bytes, transfers, verdict, final, message, engine_message, detaching_usec, "         \
        "away_usec, "                                                                                        \
        "downloading_usec, verifying_usec, dfu_status, dfu_state, station, data_file"

/* The port of an attempt: as the index of this expression has it, and struct history_filter's place. */
#define LEDGER_PLACE "coalesce(path, port, slot)"

void ledger_bind_u64(sqlite3_stmt *stmt, int index, uint64_t value);
/* Copies nothing: text must live until the statement is done. max: in bytes; longer text is cut between
 * characters. */
void ledger_bind_text(sqlite3_stmt *stmt, int index, const char *text, size_t max);
/* What is known when a row is opened: ?1 to ?15 of STMT_ATTEMPT_OPEN; and its station and data_file, ?16 and ?17. */
void ledger_bind_opened(sqlite3_stmt *stmt, const struct attempt_record *record);
/* What is known when it is closed, apart from its id, final and mac: from ?10 on of STMT_ATTEMPT_CLOSE. */
void ledger_bind_details(sqlite3_stmt *stmt, const struct attempt_record *record);

/* The text of a column, copied; NULL where it is NULL. Returns 0 or -ENOMEM. */
int ledger_column_text(sqlite3_stmt *stmt, int column, char **ret);
enum verdict ledger_column_verdict(sqlite3_stmt *stmt, int column);
/* A row of LEDGER_COLUMNS. Returns 0 or -ENOMEM; *ret is untouched on failure. */
int ledger_read_attempt(sqlite3_stmt *stmt, struct attempt_record *ret);
