/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/history.h"

void history_filter_done(struct history_filter *filter)
{
        free(filter->slot);
        free(filter->place);
        free(filter->port);
        free(filter->mac);
        free(filter->image);
        *filter = (struct history_filter){ 0 };
}

int history_filter_copy(const struct history_filter *filter, struct history_filter *ret)
{
        struct history_filter copy = *filter;

        copy.slot = copy.place = copy.port = copy.mac = copy.image = NULL;
        if (free_and_strdup(&copy.slot, filter->slot) < 0 ||
            free_and_strdup(&copy.place, filter->place) < 0 ||
            free_and_strdup(&copy.port, filter->port) < 0 || free_and_strdup(&copy.mac, filter->mac) < 0 ||
            free_and_strdup(&copy.image, filter->image) < 0) {
                history_filter_done(&copy);
                return -ENOMEM;
        }
        *ret = copy;
        return 0;
}

bool history_image_is_digest(const char *image)
{
        size_t n = strspn(image, "0123456789abcdefABCDEF");

        return image[n] == '\0' && n >= HISTORY_SHA256_MIN && n <= 64;
}
