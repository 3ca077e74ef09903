/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/consumer.h"

void consumers_free(struct consumer_status *consumers, size_t n)
{
        for (size_t i = 0; i < n; i++)
                free(consumers[i].consumer);
        free(consumers);
}
