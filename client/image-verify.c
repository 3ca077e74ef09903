/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <stdio.h>

#include "client/image-verbs.h"
#include "io/file.h"
#include "io/image-signature.h"

static void print_help(FILE *out)
{
        fprintf(out, "Usage: espdfuctl image verify FILE… [--key KEY [--signature SIG]]\n\n"
                     "Says for each DFU image \"FILE: ok\", or what is wrong with it, one line each.\n\n"
                     "      --key KEY        the signature must be by this public key too (Ed25519, in PEM)\n"
                     "      --signature SIG  where the signature is; FILE.sig\n"
                     "  -h, --help           this text\n\n"
                     "Exit codes: 0 no errors (there may be warnings), 1 an image has an error or cannot be "
                     "read,\n"
                     "2 wrong usage.\n");
}

/* What the command line says; texts are borrowed from it. */
struct order {
        const char *key, *signature;
        struct trusted_keys keys; /* what is in the file key: one */
};

/* Returns whether the image may be flashed, as far as its signature tells. */
static bool verify_signature(const struct inspected *file, const struct order *order)
{
        _cleanup_(freep) char *beside = image_signature_path(file->path), *why = NULL;
        const char *path = order->signature ? order->signature : beside;
        int r = path ? image_signature_check(path, &order->keys, file->data, file->len, NULL, &why) : -ENOMEM;

        if (r == 0)
                client_say(stdout, "%s: its signature (%s) is by the key %s", file->path, path, order->key);
        else
                client_say(stdout, "%s: error: %s", file->path, why ? why : image_key_error_text(r));
        return r == 0;
}

/* Returns whether the image may be flashed. */
static bool verify(const char *path, const struct order *order)
{
        _cleanup_(inspected_done) struct inspected file = { 0 };
        bool good;
        int r = inspected_read(path, &file);

        if (r < 0) {
                client_say(stdout, "%s: error: %s", path, file_error_text(r));
                return false;
        }
        for (size_t i = 0; i < file.findings.n_items; i++) {
                _cleanup_(freep) char *line = finding_to_string(&file.findings.items[i]);

                client_say(stdout, "%s: %s", path, line ?: "error: out of memory");
        }
        if (file.findings.n_errors + file.findings.n_warnings > file.findings.n_items)
                client_say(stdout, "%s: %zu errors and %zu warnings in all", path, file.findings.n_errors,
                           file.findings.n_warnings);
        good = file.findings.n_errors == 0;
        if (order->key)
                good = verify_signature(&file, order) && good;
        if (good)
                client_say(stdout, "%s: ok", path);
        return good;
}

/* Reads the key that the signature must be by. Returns an exit code. */
static int read_key(struct order *order)
{
        _cleanup_(freep) uint8_t *pem = NULL;
        _cleanup_(freep) char *why = NULL;
        uint8_t key[SIGNATURE_KEY_SIZE];
        size_t len = 0;
        int r = file_read(order->key, SIGNATURE_PEM_MAX, &pem, &len);

        if (r == 0)
                r = signature_public_key(pem, len, key, &why);
        if (r == 0)
                r = trusted_keys_add(&order->keys, order->key, key);
        if (r != 0)
                client_error("%s: %s", order->key, why ? why : image_key_error_text(r));
        return r == 0 ? EXIT_DONE : EXIT_FAILED;
}

static const char *fault_of_usage(int n, const struct order *order)
{
        if (n == 0)
                return "no FILE: expected at least one DFU image";
        if (order->signature && !order->key)
                return "--signature without --key: expected the key that it is by";
        if (order->signature && n > 1)
                return "--signature and several files: expected one DFU image";
        return NULL;
}

static void order_done(struct order *order)
{
        trusted_keys_done(&order->keys);
}

int image_verify_main(int argc, char **argv)
{
        _cleanup_(order_done) struct order order = { 0 };
        const struct image_option options[] = { { "key", 'k', &order.key },
                                                { "signature", 's', &order.signature } };
        const char *wrong;
        bool good = true;
        int r;

        if (image_options(argc, argv, options, ARRAY_SIZE(options), ":h", print_help, &r) < 0)
                return r;
        wrong = fault_of_usage(argc - optind, &order);
        if (wrong) {
                client_say(stderr, "%s: %s", argv[0], wrong);
                return EXIT_USAGE;
        }
        r = order.key ? read_key(&order) : EXIT_DONE;
        if (r != EXIT_DONE)
                return r;
        for (; optind < argc; optind++)
                good = verify(argv[optind], &order) && good;
        return good ? EXIT_DONE : EXIT_FAILED;
}
