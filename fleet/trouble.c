/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/trouble.h"

#include <stdio.h>

bool trouble_is(struct trouble *trouble, const char *text, uint64_t now_usec)
{
        if (strncmp(trouble->text, text, sizeof(trouble->text) - 1) == 0 &&
            now_usec < trouble->said_usec + TROUBLE_AGAIN)
                return false;
        snprintf(trouble->text, sizeof(trouble->text), "%s", text);
        trouble->said_usec = now_usec;
        return true;
}

bool trouble_over(struct trouble *trouble)
{
        bool was = trouble->text[0] != '\0';

        trouble->text[0] = '\0';
        return was;
}
