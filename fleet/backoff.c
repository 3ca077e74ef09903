/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/backoff.h"

uint64_t backoff_next(struct backoff *backoff, uint64_t random)
{
        uint64_t step = MIN(MAX(backoff->next_usec, backoff->first_usec), backoff->max_usec);

        backoff->next_usec = step > backoff->max_usec / 2 ? backoff->max_usec : step * 2;
        return step - random % (step / 2 + 1);
}

void backoff_reset(struct backoff *backoff)
{
        backoff->next_usec = 0;
}
