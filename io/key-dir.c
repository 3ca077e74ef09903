/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "io/key-dir.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

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

/* A directory of keys, open, so that what is read is in the one that was looked at. */
struct key_dir {
        char *path;
        int fd; /* -EBADF: it is not there */
};

static void key_dir_done(struct key_dir *dir)
{
        free(dir->path);
        if (dir->fd >= 0)
                close(dir->fd);
}

/* One that is not there is right; one that cannot be read is told when it is listed. */
static int open_dir(const char *dir, uid_t owner, struct config_errors *errors, struct key_dir *ret)
{
        struct stat st;

        if (asprintf(&ret->path, "%s/%s", dir, KEYS_DIR) < 0) {
                ret->path = NULL;
                return -ENOMEM;
        }
        ret->fd = open(ret->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (ret->fd >= 0 && fstat(ret->fd, &st) == 0 && !file_is_trusted(&st, owner))
                complain_of_owner(errors, ret->path, &st);
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

/* The one of both in which path was listed. */
static int fd_of(const struct key_dir dirs[static 2], const char *path)
{
        size_t n = (size_t)(drop_in_name(path) - path) - 1;

        for (size_t i = 0; i < 2; i++)
                if (dirs[i].path && strlen(dirs[i].path) == n && memcmp(dirs[i].path, path, n) == 0)
                        return dirs[i].fd;
        return -EBADF;
}

static int read_key(const struct key_dir dirs[static 2], const char *path, uid_t owner,
                    struct trusted_keys *keys, struct config_errors *errors)
{
        _cleanup_(freep) uint8_t *pem = NULL;
        _cleanup_(freep) char *why = NULL;
        uint8_t key[SIGNATURE_KEY_SIZE];
        struct stat st = {};
        size_t len = 0;
        int r;

        if (drop_in_is_dev_null(path))
                return 0;
        r = file_read_trusted_at(fd_of(dirs, path), drop_in_name(path), SIGNATURE_PEM_MAX, owner, &pem, &len,
                                 &st);
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
        _cleanup_(key_dir_done) struct key_dir own = { .fd = -EBADF }, vendors = { .fd = -EBADF };
        int r = open_dir(dir, owner, errors, &own);

        if (r == 0 && vendor_dir)
                r = open_dir(vendor_dir, owner, errors, &vendors);
        if (r == 0)
                r = asprintf(&ret->dir, "%s/%s", dir, KEYS_DIR) < 0 ? -ENOMEM : 0;
        if (r == 0)
                r = drop_ins_list(&list, dir, vendor_dir, &kind, errors);
        for (size_t i = 0; r == 0 && i < list.n; i++)
                r = read_key((const struct key_dir[]){ own, vendors }, list.paths[i], owner, ret, errors);
        return r;
}
