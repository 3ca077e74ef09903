/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/flapping.h"

bool flapping_left(struct flapping *flapping, uint64_t now_usec)
{
        uint64_t first;

        for (size_t i = FLAPPING_LEAVES - 1; i > 0; i--)
                flapping->left_usec[i] = flapping->left_usec[i - 1];
        flapping->left_usec[0] = now_usec;
        first = flapping->left_usec[FLAPPING_LEAVES - 1];
        if (first == 0 || now_usec - first > FLAPPING_WITHIN)
                return false;
        *flapping = (struct flapping){ 0 };
        return true;
}
