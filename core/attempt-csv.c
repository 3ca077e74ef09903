/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/attempt-csv.h"

#include <stdio.h>

#include "core/csv.h"
#include "core/messages.h"

static int add_cell(struct bytes *out, const json_t *value)
{
        char number[24];

        if (json_is_string(value))
                return csv_text(out, json_string_value(value));
        if (json_is_integer(value))
                snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        else if (json_is_boolean(value))
                snprintf(number, sizeof(number), "%d", json_is_true(value)); /* as the ledger has it */
        else
                return 0;
        return bytes_append(out, number, strlen(number));
}

int attempt_to_csv(struct bytes *out, const json_t *attempt)
{
        const char *name;
        int r = 0;

        for (size_t i = 0; r == 0 && (name = attempt_field(i)); i++) {
                if (i > 0)
                        r = bytes_append(out, ",", 1);
                if (r == 0)
                        r = attempt ? add_cell(out, json_object_get(attempt, name))
                                    : bytes_append(out, name, strlen(name));
        }
        return r == 0 ? bytes_append(out, "\r\n", 2) : r;
}
