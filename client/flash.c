/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * espdfuctl flash: boards are flashed now, with their policy's image or with one that is given. That one is read here, as who
 * orders may read it, and goes to the daemon as bytes in sealed memory: what this user cannot read reaches no board.
 */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "client/act.h"
#include "client/client.h"
#include "client/image-verbs.h"
#include "core/printable.h"
#include "io/file.h"
#include "io/image-signature.h"
#include "io/sealed.h"

#define STDIN_NAME    "standard input"
#define FLASH_TIMEOUT (30 * USEC_PER_SEC) /* an image of 64 MiB is looked at in that */

/* What goes with each call. */
struct given {
        int fd;     /* owned; -EBADF: nothing is given */
        char *path; /* as it is told; owned */
        bool has_signature;
        char signature[SIGNATURE_BASE64_SIZE];
};

static void given_done(struct given *given)
{
        if (given->fd >= 0)
                close(given->fd);
        free(given->path);
}

static int refuse_file(const char *path, int r)
{
        client_error("%s: %s", path, file_error_text(r));
        return EXIT_FAILED;
}

/* ---- the file ---- */

static int read_stdin(uint8_t **ret, size_t *ret_len)
{
        _cleanup_(freep) uint8_t *data = malloc(IMAGE_SIZE_MAX + 1);
        int r = data ? file_read_up_to(STDIN_FILENO, data, IMAGE_SIZE_MAX + 1, ret_len) : -ENOMEM;

        if (r == 0 && *ret_len > IMAGE_SIZE_MAX)
                r = -EFBIG;
        if (r == 0)
                *ret = take_ptr(data);
        return r;
}

/* That it is a DFU file at all; the rest says the daemon, which knows the board and its policy. */
static int check_suffix(const char *path, const uint8_t *data, size_t len)
{
        _cleanup_(findings_done) struct findings findings = { 0 };
        _cleanup_(image_freep) struct image *image = NULL;
        int r = image_parse_suffix_only(data, len, &findings, &image);

        if (r < 0)
                return refuse_file(path, r);
        for (size_t i = 0; i < findings.n_items; i++) {
                _cleanup_(freep) char *line = finding_to_string(&findings.items[i]);

                if (findings.items[i].severity == FINDING_ERROR)
                        client_error("%s: %s", path, line ? line : "out of memory");
        }
        return r == 0 ? EXIT_DONE : EXIT_FAILED;
}

/* The one beside it, if there is one. */
static int read_signature(const char *path, struct given *given)
{
        _cleanup_(freep) char *beside = image_signature_path(path);
        _cleanup_(freep) uint8_t *data = NULL;
        size_t len = 0;
        int r = beside ? file_read(beside, SIGNATURE_SIZE, &data, &len) : -ENOMEM;

        if (r == -ENOENT)
                return EXIT_DONE;
        if (r == -EFBIG || (r == 0 && len != SIGNATURE_SIZE)) {
                client_error("%s: expected the %d raw bytes of an Ed25519 signature", beside, SIGNATURE_SIZE);
                return EXIT_FAILED;
        }
        if (r < 0)
                return refuse_file(beside ? beside : path, r);
        signature_to_base64(data, given->signature);
        given->has_signature = true;
        return EXIT_DONE;
}

/* Absolute, and one printable line: it stays in the ledger, where nobody knows what this directory was. */
static int tell_path(const char *path, char **ret)
{
        _cleanup_(freep) char *here = NULL, *told = NULL;
        bool is_whole = *path == '/' || streq(path, STDIN_NAME);

        if (!is_whole && !(here = getcwd(NULL, 0)))
                return refuse_file(path, -errno);
        if (asprintf(&told, "%s%s%s", here ? here : "", here ? "/" : "", path) < 0)
                return told = NULL, refuse_file(path, -ENOMEM);
        if (strlen(told) > IMAGE_TOLD_MAX) {
                client_error("%s: expected a path of at most %d bytes", path, IMAGE_TOLD_MAX);
                return EXIT_FAILED;
        }
        make_printable(told);
        *ret = take_ptr(told);
        return EXIT_DONE;
}

static int seal(const char *path, const uint8_t *data, size_t len, struct given *given)
{
        int fd = sealed_memfd("espdfu-image", data, len);

        if (fd < 0)
                return refuse_file(path, fd);
        given->fd = fd;
        return EXIT_DONE;
}

/* path "-": what comes on stdin, which has no signature beside it. */
static int read_image(const char *path, struct given *given)
{
        bool from_stdin = streq(path, "-");
        const char *name = from_stdin ? STDIN_NAME : path;
        _cleanup_(freep) uint8_t *data = NULL;
        size_t len = 0;
        int r = from_stdin ? read_stdin(&data, &len) : file_read(path, IMAGE_SIZE_MAX, &data, &len);

        if (r < 0)
                return refuse_file(name, r);
        r = check_suffix(name, data, len);
        if (r == EXIT_DONE && !from_stdin)
                r = read_signature(path, given);
        if (r == EXIT_DONE)
                r = tell_path(name, &given->path);
        return r == EXIT_DONE ? seal(name, data, len, given) : r;
}

/* ---- the call ---- */

static json_t *parameters_of(const char *where, const struct given *given)
{
        json_t *parameters = json_pack("{s:s}", "where", where);
        bool sound = parameters;

        if (sound && given->path)
                sound = json_object_set_new(parameters, "image", json_string(given->path)) == 0;
        if (sound && given->has_signature)
                sound = json_object_set_new(parameters, "signature", json_string(given->signature)) == 0;
        if (sound)
                return parameters;
        json_decref(parameters);
        return NULL;
}

static int flash(const char *where, const struct given *given)
{
        _cleanup_(slot_status_done) struct slot_status slot = { 0 };
        json_t *parameters = parameters_of(where, given), *reply;
        int r;

        if (!parameters) {
                client_error("%s: expected UTF-8", where);
                return EXIT_USAGE;
        }
        r = client_ask_with(STATION_INTERFACE ".Flash", parameters, given->fd, FLASH_TIMEOUT, &reply);
        if (r != EXIT_DONE)
                return r;
        r = slot_reply_from_json(reply, &slot);
        json_decref(reply);
        return r < 0 ? client_misread(r) : act_begun(where, &slot, "started");
}

int verb_flash(int argc, char **argv)
{
        _cleanup_(given_done) struct given given = { .fd = -EBADF };
        const char *image = NULL;
        const struct client_option options[] = { { "image", .value = &image } };
        int worst = EXIT_DONE, r = client_options(argc, argv, options, ARRAY_SIZE(options), INT_MAX);

        if (r != CLIENT_GO_ON)
                return r;
        if (optind == argc) {
                client_error("flash: expected the slots whose boards are to be flashed: see espdfuctl flash "
                             "--help");
                return EXIT_USAGE;
        }
        /* It goes by a descriptor, which no ssh carries. */
        if (image && client_host) {
                client_error(
                        "flash: --image: not with --host: copy the file there, then ssh %s espdfuctl flash "
                        "… --image …",
                        client_host);
                return EXIT_USAGE;
        }
        r = image ? read_image(image, &given) : EXIT_DONE;
        if (r != EXIT_DONE)
                return r;
        for (int i = optind; i < argc; i++)
                worst = MAX(worst, flash(argv[i], &given));
        return worst;
}
