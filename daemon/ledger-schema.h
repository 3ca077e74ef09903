/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables of the ledger, and how an older file becomes the present one. Every column is told in
 * docs/ledger.md. */
#pragma once

#include "daemon/ledger-db.h"

#define LEDGER_APPLICATION_ID 0x45534446 /* "ESDF": file(1) and others can tell whose database it is */

/* Checks that the database is empty, or a ledger that this program knows, and brings it to the present
 * schema. Errors as ledger_open() says them. */
int ledger_schema_prepare(struct ledger_db *db, char **ret_error);
