/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/config-check-data.h"

#include <stdio.h>

#include "client/say.h"
#include "core/image-compose.h"
#include "io/data-folder.h"

static void say(struct config_errors *errors, const struct config_policy *policy, const char *why)
{
        config_errors_add(errors, "%s:%u: board-data = 0x%x:%s: %s", policy->origin.file, policy->origin.line,
                          policy->board_data_address, policy->board_data, why);
}

static void check_file(const struct config_policy *policy, const char *path, const uint8_t *data, size_t len,
                       const struct image *image, struct config_errors *errors)
{
        _cleanup_(freep) char *why = NULL, *text = NULL;
        struct fault fault;
        size_t size = 0;
        int r = data_file_check(path, data_folder_owner(), &size, &why);

        if (r != 0) {
                say(errors, policy, why ? why : strerror(-r));
                return;
        }
        r = image_compose_check(data, len, image, policy->board_data_address, size, &fault);
        if (r == 0)
                return;
        if (asprintf(&text, "%s: %s", path, r == 1 ? fault.text : strerror(-r)) < 0)
                text = NULL;
        say(errors, policy, text ? text : "out of memory");
}

void check_board_data(const struct config_policy *policy, const uint8_t *data, size_t len,
                      const struct image *image, struct config_errors *errors)
{
        _cleanup_(data_names_done) struct data_names names = { 0 };
        _cleanup_(freep) char *why = NULL;
        int r = data_folder_list(policy->board_data, data_folder_owner(), &names, &why);

        if (r != 0)
                say(errors, policy, why ? why : strerror(-r));
        data_names_sort(&names);
        for (size_t i = 0; i < names.n; i++) {
                _cleanup_(freep) char *path = NULL;

                if (asprintf(&path, "%s/%s", policy->board_data, names.names[i]) < 0) {
                        path = NULL;
                        say(errors, policy, "out of memory");
                        return;
                }
                check_file(policy, path, data, len, image, errors);
        }
}

void print_board_data(const struct config *config)
{
        for (size_t i = 0; i < config->n_policies; i++) {
                const struct config_policy *policy = &config->policies[i];
                _cleanup_(data_names_done) struct data_names names = { 0 };
                _cleanup_(freep) char *why = NULL;

                if (policy->board_data && policy->action != POLICY_IGNORE &&
                    data_folder_list(policy->board_data, data_folder_owner(), &names, &why) == 0)
                        client_say(stdout, "policy %s: %zu file%s in %s", policy->name, names.n,
                                   names.n == 1 ? "" : "s", policy->board_data);
        }
}
