/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/config-check.h"
#include "client/config-check-data.h"
#include "client/say.h"
#include "client/service-view.h"
#include "core/config-keys.h"
#include "core/policy-image.h"
#include "core/slot-range.h"
#include "io/config-dir.h"
#include "io/file.h"
#include "io/image-signature.h"
#include "show/exit.h"

static const char help[] = "usage: espdfuctl config check [DIR]\n"
                           "       espdfuctl config keys\n"
                           "\n"
                           "check reads the configuration in DIR (" CONFIG_DIR
                           " if none is named) as espdfud would,\n"
                           "the image of every policy, its signature and its board data too, and tells\n"
                           "everything that is wrong on stderr.\n"
                           "keys lists what can be configured.\n"
                           "\n"
                           "exit codes: 0 all is right, 1 something is wrong, 2 usage\n";

static void say(struct config_errors *errors, const struct config_policy *policy, const char *why)
{
        config_errors_add(errors, "%s:%u: image = %s: %s", policy->origin.file, policy->origin.line,
                          policy->image, why);
}

static void say_findings(struct config_errors *errors, const struct config_policy *policy,
                         const struct findings *findings)
{
        for (size_t i = 0; i < findings->n_items; i++) {
                _cleanup_(freep) char *text = finding_to_string(&findings->items[i]);

                if (findings->items[i].severity == FINDING_ERROR)
                        say(errors, policy, text ? text : "out of memory");
        }
}

static void check_signature(const struct config_policy *policy, const struct trusted_keys *keys,
                            const uint8_t *data, size_t len, struct config_errors *errors)
{
        _cleanup_(freep) char *why = NULL;
        const struct trusted_key *by;
        int r = policy_check_signature(policy, keys, data, len, &by, &why);

        if (r != 0)
                say(errors, policy, why ? why : strerror(-r));
}

static void check_image(const struct config_policy *policy, const uint8_t *data, size_t len,
                        struct config_errors *errors)
{
        _cleanup_(findings_done) struct findings findings = { 0 };
        _cleanup_(image_freep) struct image *image = NULL;
        _cleanup_(freep) char *why = NULL;
        uint8_t sha256[SHA256_SIZE];
        int r = policy_parse_image(policy, data, len, &findings, &image);

        if (r == 1) {
                say_findings(errors, policy, &findings);
                return;
        }
        if (r == 0)
                r = digest_sha256(data, len, sha256);
        if (r == 0)
                r = policy_check_image(policy, image, sha256, &why);
        if (r != 0)
                say(errors, policy, why ? why : strerror(-r));
        else if (policy->board_data)
                check_board_data(policy, data, len, image, errors);
}

/* No error: here may be another machine than the station, and the daemon may be run without its unit. */
static void warn_of_view(const struct config_policy *policy)
{
        _cleanup_(freep) char *fault = service_view_fault(policy->image);

        if (fault)
                client_say(stderr, "%s:%u: image = %s: warning: %s", policy->origin.file, policy->origin.line,
                           policy->image, fault);
}

/* A policy that is ignored does not look at its image. */
static void check_policy_image(const struct config *config, const struct config_policy *policy,
                               struct config_errors *errors)
{
        _cleanup_(freep) uint8_t *data = NULL;
        size_t len = 0;
        int r;

        if (!policy->image || policy->action == POLICY_IGNORE)
                return;
        warn_of_view(policy);
        r = file_read(policy->image, IMAGE_SIZE_MAX, &data, &len);
        if (r < 0) {
                config_errors_add(errors, "%s:%u: image = %s: %s: expected a DFU image that can be read",
                                  policy->origin.file, policy->origin.line, policy->image, strerror(-r));
                return;
        }
        check_signature(policy, &config->keys, data, len, errors);
        check_image(policy, data, len, errors);
}

static void print_errors(const struct config_errors *errors)
{
        for (size_t i = 0; i < errors->n_lines; i++)
                client_say(stderr, "%s", errors->lines[i]);
        if (errors->total > errors->n_lines)
                fprintf(stderr, "and %zu more\n", errors->total - errors->n_lines);
}

/* Their numbers are known where the hubs are: to the daemon. */
static void tell_ranges(const struct config *config)
{
        char first[CONFIG_NAME_MAX + 1];

        for (size_t i = 0; i < config->n_ranges; i++) {
                const struct config_slot *range = &config->ranges[i];

                range_slot_name(first, range->name, 1);
                client_say(stdout,
                           "%s:%u: [slot %s]: %s, … for the ports %s: espdfud numbers them by its hubs",
                           range->origin.file, range->origin.line, range->name, first,
                           range->path ? range->path : range->port);
        }
}

static int check(const char *dir, const char *vendor_dir, struct config_errors *errors)
{
        _cleanup_(config_freep) struct config *config = NULL;
        int r = config_load(dir, vendor_dir, &config, errors);

        if (r < 0)
                client_say(stderr, "%s: %s: expected a directory with espdfud.conf", dir, strerror(-r));
        if (r != 0)
                return EXIT_FAILED;
        for (size_t i = 0; i < config->n_policies; i++)
                check_policy_image(config, &config->policies[i], errors);
        if (errors->total > 0)
                return EXIT_FAILED;
        print_board_data(config);
        client_say(stdout, "%s: ok, %zu slot%s, %zu hub%s, %zu polic%s", dir, config->n_slots,
                   config->n_slots == 1 ? "" : "s", config->n_hubs, config->n_hubs == 1 ? "" : "s",
                   config->n_policies, config->n_policies == 1 ? "y" : "ies");
        tell_ranges(config);
        return EXIT_DONE;
}

static int config_check(int argc, char **argv)
{
        _cleanup_(config_errors_done) struct config_errors errors = {};
        int r;

        if (argc > 1) {
                client_say(stderr, "espdfuctl config check: %s: expected one directory", argv[1]);
                return EXIT_USAGE;
        }
        r = argc == 1 ? check(argv[0], NULL, &errors) : check(CONFIG_DIR, CONFIG_VENDOR_DIR, &errors);
        print_errors(&errors);
        return r;
}

static int config_keys(int argc, char **argv)
{
        const struct config_key *key, *before = NULL;

        if (argc > 0) {
                client_say(stderr, "espdfuctl config keys: %s: expected nothing more", argv[0]);
                return EXIT_USAGE;
        }
        for (size_t i = 0; (key = config_key_at(i)); before = key, i++) {
                if (!before || before->section != key->section)
                        printf("%s[%s%s]\n", before ? "\n" : "", config_section_to_string(key->section),
                               key->section == CONFIG_STATION ? "" : " NAME");
                printf("%-14s %s\n%-14s %s", key->name, key->help, "", key->expected);
                if (key->default_value)
                        printf("; default %s", key->default_value);
                printf("\n");
        }
        return EXIT_DONE;
}

int verb_config(int argc, char **argv)
{
        static const struct {
                const char *name;
                int (*run)(int argc, char **argv); /* what stands behind the name */
        } verbs[] = {
                { "check", config_check },
                { "keys", config_keys },
        };

        for (int i = 1; i < argc; i++)
                if (streq(argv[i], "--help") || streq(argv[i], "-h")) {
                        fputs(help, stdout);
                        return EXIT_DONE;
                }
        for (int i = 1; i < argc; i++)
                if (argv[i][0] == '-') {
                        client_say(stderr, "espdfuctl config: %s: unknown option, expected --help", argv[i]);
                        return EXIT_USAGE;
                }
        for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(verbs); i++)
                if (streq(argv[1], verbs[i].name))
                        return verbs[i].run(argc - 2, argv + 2);
        client_say(stderr, "espdfuctl config: %s: expected check or keys", argc > 1 ? argv[1] : "no verb");
        return EXIT_USAGE;
}
