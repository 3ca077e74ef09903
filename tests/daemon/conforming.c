/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/daemon/conforming.h"

#include <stdio.h>

#include "core/interface.h"
#include "tests/unit/idl.h"

static struct idl *interface;

int read_interface(void **state)
{
        size_t offset;

        (void)state;
        interface = idl_parse(station_interface_text, STATION_INTERFACE, &offset);
        return interface ? 0 : -1;
}

int drop_interface(void **state)
{
        (void)state;
        idl_free(interface);
        return 0;
}

json_t *expect_answer(struct client *c, const char *method)
{
        json_t *reply = expect_reply(c);

        assert_null(c->reply.error);
        assert_string_equal(idl_check(interface, IDL_REPLY, method, reply), "");
        return reply;
}

void expect_refused(struct client *c, const char *error, const char *key, const char *value)
{
        char name[96];

        snprintf(name, sizeof(name), STATION "%s", error);
        expect_error(c, name, key, value);
        assert_string_equal(idl_check(interface, IDL_ERROR, error, c->reply.parameters), "");
}
