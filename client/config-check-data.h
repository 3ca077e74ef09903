/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `espdfuctl config check` looks at in the folders of board-data. */
#pragma once

#include "core/config.h"
#include "core/image.h"

/* Every file: whose it is, its mode, and whether it goes into the policy's image. The policy has a folder. */
void check_board_data(const struct config_policy *policy, const uint8_t *data, size_t len,
                      const struct image *image, struct config_errors *errors);
/* On stdout, for each policy with a folder: how many files are in it. */
void print_board_data(const struct config *config);
