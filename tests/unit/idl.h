/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A reader for varlink interface texts, for tests: does this JSON have the types that the text promises?
 * Stricter than a client: every field must be there and none more.
 */
#pragma once

#include <jansson.h>

#include "core/util.h"

struct idl;

enum idl_side { IDL_CALL, IDL_REPLY, IDL_ERROR };

/* NULL if the text is no interface description; then *ret_offset is where. name is what it must call itself. */
struct idl *idl_parse(const char *text, const char *name, size_t *ret_offset);
struct idl *idl_free(struct idl *idl);
DEFINE_CLEANUP(struct idl, idl_free)

/* Empty if parameters (NULL: none) conform to that side of the method or error called member; else what is wrong and
 * where ("Status.slots[2].mac: expected ?string"). Static until the next call. */
const char *idl_check(const struct idl *idl, enum idl_side side, const char *member,
                      const json_t *parameters);
