/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "io/key-dir.h"

#include <stdio.h>

#include "io/drop-ins.h"
#include "io/file.h"

#define KEYS_DIR "keys.d"

static void complain_of_owner(struct config_errors *errors, const char *path, const struct stat *st)
{
        config_errors_add(
                errors,
                "%s: owned by user %u, mode %04o: expected a %s of root that nobody else may write: "
                "who can write it decides what is flashed",
                path, (unsigned)st->st_uid, (unsigned)(st->st_mode & 07777),
                S_ISDIR(st->st_mode) ? "directory" : "file");
}

/* One that is not there is right; one that cannot be read is told when it is listed. */
static int check_dir(const char *dir, uid_t owner, struct config_errors *errors)
{
        _cleanup_(freep) char *path = NULL;
        struct stat st;

        if (asprintf(&path, "%s/%s", dir, KEYS_DIR) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        if (stat(path, &st) == 0 && !file_is_trusted(&st, owner))
                complain_of_owner(errors, path, &st);
        return 0;
}

static void complain_of_file(struct config_errors *errors, const char *path, int r, const struct stat *st)
{
        if (r == -EPERM)
                complain_of_owner(errors, path, st);
        else
                config_errors_add(errors,
                                  "%s: %s: expected a regular file of at most %u KiB that espdfud can read",
                                  path, strerror(-r), (unsigned)(SIGNATURE_PEM_MAX / KIB));
}

static int read_key(const char *path, uid_t owner, struct trusted_keys *keys, struct config_errors *errors)
{
        _cleanup_(freep) uint8_t *pem = NULL;
        _cleanup_(freep) char *why = NULL;
        uint8_t key[SIGNATURE_KEY_SIZE];
        struct stat st = {};
        size_t len = 0;
        int r;

        if (drop_in_is_dev_null(path))
                return 0;
        r = file_read_trusted(path, SIGNATURE_PEM_MAX, owner, &pem, &len, &st);
        if (r < 0 && r != -ENOMEM) {
                complain_of_file(errors, path, r, &st);
                return 0;
        }
        if (r < 0 || len == 0)
                return r;
        r = signature_public_key(pem, len, key, &why);
        if (r == 0)
                return trusted_keys_add(keys, drop_in_name(path), key);
        if (r == -ENOMEM)
                return r;
        config_errors_add(errors, "%s: %s", path, why ? why : "this system's libcrypto has no Ed25519");
        return 0;
}

int key_dir_read(const char *dir, const char *vendor_dir, uid_t owner, struct trusted_keys *ret,
                 struct config_errors *errors)
{
        static const struct drop_ins_kind kind = { KEYS_DIR, ".pem", TRUSTED_KEYS_MAX, "keys" };
        _cleanup_(drop_ins_done) struct drop_ins list = {};
        int r = check_dir(dir, owner, errors);

        if (r == 0 && vendor_dir)
                r = check_dir(vendor_dir, owner, errors);
        if (r == 0)
                r = asprintf(&ret->dir, "%s/%s", dir, KEYS_DIR) < 0 ? -ENOMEM : 0;
        if (r == 0)
                r = drop_ins_list(&list, dir, vendor_dir, &kind, errors);
        for (size_t i = 0; r == 0 && i < list.n; i++)
                r = read_key(list.paths[i], owner, ret, errors);
        return r;
}
