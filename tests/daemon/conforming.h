/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For tests of the socket: what is answered has the types that docs/io.espdfu.Station1.varlink promises. */
#pragma once

#include "tests/daemon/peers.h"

/* The group's set-up and tear-down: the interface's text is read once. */
int read_interface(void **state);
int drop_interface(void **state);

/* The parameters of the next reply, which conforms to the interface. */
json_t *expect_answer(struct client *c, const char *method);
/* The next reply is this error ("NoSuchSlot") with this parameter, and conforms. */
void expect_refused(struct client *c, const char *error, const char *key, const char *value);
