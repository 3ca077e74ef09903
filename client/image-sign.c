/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <openssl/crypto.h>
#include <stdio.h>

#include "client/image-verbs.h"
#include "io/file-write.h"
#include "io/file.h"
#include "io/image-signature.h"

static void print_help(FILE *out)
{
        fprintf(out, "Usage: espdfuctl image sign FILE --key KEY [--output OUT]\n\n"
                     "Signs a DFU image for policies that say signature = required: 64 bytes, an Ed25519 "
                     "signature\n"
                     "over the file as it is, as openssl pkeyutl -sign -rawin makes it.\n\n"
                     "      --key KEY     the private key: Ed25519, in PEM, without a passphrase\n"
                     "  -o, --output OUT  the signature; FILE.sig\n"
                     "  -h, --help        this text\n\n"
                     "Exit codes: 0 done, 1 failed, 2 wrong usage.\n");
}

/* A private key does not stay in memory that is given back. */
struct secret {
        uint8_t *data;
        size_t len;
};

static void secret_done(struct secret *secret)
{
        if (secret->data)
                OPENSSL_cleanse(secret->data, secret->len);
        free(secret->data);
}

static int make_signature(const char *image, const char *key, uint8_t ret[static SIGNATURE_SIZE])
{
        _cleanup_(secret_done) struct secret pem = { 0 };
        _cleanup_(freep) uint8_t *data = NULL;
        _cleanup_(freep) char *why = NULL;
        size_t len = 0;
        int r = file_read(key, SIGNATURE_PEM_MAX, &pem.data, &pem.len);

        if (r < 0) {
                client_error("%s: %s", key, image_key_error_text(r));
                return EXIT_FAILED;
        }
        r = file_read(image, IMAGE_SIZE_MAX, &data, &len);
        if (r < 0) {
                client_error("%s: %s", image, file_error_text(r));
                return EXIT_FAILED;
        }
        r = signature_make(pem.data, pem.len, data, len, ret, &why);
        if (r != 0)
                client_error("%s: %s", key, why ? why : image_key_error_text(r));
        return r == 0 ? EXIT_DONE : EXIT_FAILED;
}

static int sign(const char *image, const char *key, const char *output)
{
        const char *input = image_is_one_file(output, image) ? image
                            : image_is_one_file(output, key) ? key
                                                             : NULL;
        uint8_t signature[SIGNATURE_SIZE];
        int r;

        if (input) {
                client_error("%s: the same file as the input %s: expected another one to write", output,
                             input);
                return EXIT_FAILED;
        }
        r = make_signature(image, key, signature);
        if (r != EXIT_DONE)
                return r;
        r = file_write(output, signature, sizeof(signature));
        if (r < 0) {
                client_error("%s: %s", output, file_error_text(r));
                return EXIT_FAILED;
        }
        client_say(stdout, "%s: signature of %s by %s", output, image, key);
        return EXIT_DONE;
}

int image_sign_main(int argc, char **argv)
{
        const char *key = NULL, *output = NULL;
        const struct image_option options[] = { { "key", 'k', &key }, { "output", 'o', &output } };
        _cleanup_(freep) char *beside = NULL;
        int r;

        if (image_options(argc, argv, options, ARRAY_SIZE(options), ":ho:", print_help, &r) < 0)
                return r;
        if (argc - optind != 1) {
                client_say(stderr, "%s: %d files: expected one DFU image", argv[0], argc - optind);
                return EXIT_USAGE;
        }
        if (!key) {
                client_say(stderr, "%s: no --key: expected the file of a private key", argv[0]);
                return EXIT_USAGE;
        }
        beside = image_signature_path(argv[optind]);
        if (!beside) {
                client_error("out of memory");
                return EXIT_FAILED;
        }
        return sign(argv[optind], key, output ? output : beside);
}
