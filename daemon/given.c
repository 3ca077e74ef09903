/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/given.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/image-signature.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* ---- the bytes ---- */

/* With these seals it is a memfd: no other file can have them, so reading it waits for nobody. */
static int check_memfd(const struct given_image *given, size_t *ret_size, char **ret_why)
{
        int seals = fcntl(given->fd, F_GET_SEALS);
        struct stat st;

        if (seals < 0 || (seals & SEALS) != SEALS)
                return image_refuse(
                        ret_why, given->path,
                        "came as something else than a memfd with the seals SEAL, SHRINK, GROW and WRITE");
        if (fstat(given->fd, &st) < 0)
                return -errno;
        if (st.st_size <= 0)
                return image_refuse(ret_why, given->path, "is empty");
        if ((uint64_t)st.st_size > IMAGE_SIZE_MAX)
                return image_refuse(ret_why, given->path, "larger than 64 MiB");
        *ret_size = (size_t)st.st_size;
        return 0;
}

/* By pread(): where the descriptor stands, and how it is shared, is the giver's. */
static int read_whole(int fd, size_t size, uint8_t **ret)
{
        /* NOLINTNEXTLINE(clang-analyzer-optin.portability.UnixAPI): one that is empty was refused */
        _cleanup_(freep) uint8_t *data = malloc(size);

        if (!data)
                return -ENOMEM;
        for (size_t done = 0; done < size;) {
                ssize_t n = pread(fd, data + done, size - done, (off_t)done);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : -EIO;
                done += (size_t)n;
        }
        *ret = take_ptr(data);
        return 0;
}

/* ---- what a policy demands ---- */

static int refuse_signature(char **ret_why, const char *path, const char *fmt, ...) _printf_(3, 4);

static int refuse_signature(char **ret_why, const char *path, const char *fmt, ...)
{
        _cleanup_(freep) char *why = NULL, *text = NULL;
        va_list ap;
        int n;

        va_start(ap, fmt);
        n = vasprintf(&why, fmt, ap);
        va_end(ap);
        if (n < 0)
                return why = NULL, -ENOMEM;
        if (asprintf(&text, "%s; policy says signature = required", why) < 0)
                return text = NULL, -ENOMEM;
        return image_refuse(ret_why, path, text);
}

/* Before anybody looks at what is signed. */
static int check_signature(const struct config_policy *policy, const struct trusted_keys *keys,
                           const char *path, const uint8_t *signature, const uint8_t *data, size_t len,
                           char **ret_why)
{
        const char *dir = keys->dir ? keys->dir : "keys.d";
        int r;

        if (!policy || policy->signature != POLICY_SIGNATURE_REQUIRED)
                return 0;
        if (!signature)
                return refuse_signature(ret_why, path, "no signature came with it: expected one in FILE%s",
                                        SIGNATURE_SUFFIX);
        if (keys->n == 0)
                return refuse_signature(
                        ret_why, path,
                        "no key to check its signature by: expected a public key (*.pem) in %s", dir);
        r = signature_verify(keys, signature, data, len, NULL);
        return r == 1 ? refuse_signature(ret_why, path,
                                         "its signature is by no key in %s: the image was altered, or "
                                         "another key signed it",
                                         dir)
                      : r;
}

/* The signature is good: not to be verified again as long as the keys are these. */
static int note_verified(struct image_given *given, const struct config_policy *policy,
                         const struct trusted_keys *keys)
{
        if (!policy || policy->signature != POLICY_SIGNATURE_REQUIRED)
                return 0;
        given->is_verified = true;
        return trusted_keys_digest(keys, given->keys);
}

static bool is_verified(const struct image_given *given, const struct trusted_keys *keys)
{
        uint8_t digest[SHA256_SIZE];

        return given->is_verified && trusted_keys_digest(keys, digest) == 0 &&
               memcmp(digest, given->keys, sizeof(digest)) == 0;
}

static int verify_again(const struct image_copy *copy, const struct config_policy *policy,
                        const struct trusted_keys *keys, char **ret_why)
{
        const struct image_given *given = copy->given;
        _cleanup_(freep) uint8_t *data = NULL;
        struct stat st;
        int r;

        if (policy->signature != POLICY_SIGNATURE_REQUIRED || is_verified(given, keys))
                return 0;
        if (fstat(copy->fd, &st) < 0)
                return -errno;
        r = read_whole(copy->fd, (size_t)st.st_size, &data);
        if (r == 0)
                r = check_signature(policy, keys, copy->path, given->has_signature ? given->signature : NULL,
                                    data, (size_t)st.st_size, ret_why);
        return r == 0 ? note_verified(copy->given, policy, keys) : r;
}

int given_check(const struct image_copy *copy, const struct config_policy *policy,
                const struct trusted_keys *keys, char **ret_why)
{
        _cleanup_(freep) char *why = NULL;
        int r;

        if (copy->given->mode != (policy ? policy->mode : POLICY_MODE_ROM))
                return image_refuse(ret_why, copy->path,
                                    "was given for boards of another mode: expected it anew");
        if (!policy)
                return 0;
        r = verify_again(copy, policy, keys, ret_why);
        if (r != 0)
                return r;
        r = policy_check_image(policy, copy->image, copy->digest, &why);
        return r == 1 ? image_refuse(ret_why, copy->path, why) : r;
}

/* ---- the copies ---- */

void given_prune(struct given_store *store)
{
        size_t kept = 0;

        for (size_t i = 0; i < store->n; i++) {
                if (store->items[i]->references > 1)
                        store->items[kept++] = store->items[i];
                else
                        image_copy_unref(store->items[i]);
        }
        store->n = kept;
        if (kept == 0) {
                free(store->items);
                store->items = NULL;
        }
}

static bool is_same_signature(const struct image_given *copy, const uint8_t *signature)
{
        return copy->has_signature == (signature != NULL) &&
               (!signature || memcmp(copy->signature, signature, SIGNATURE_SIZE) == 0);
}

static struct image_copy *find(const struct given_store *store, enum policy_mode mode, const char *path,
                               const uint8_t digest[static SHA256_SIZE], const uint8_t *signature)
{
        for (size_t i = 0; i < store->n; i++) {
                struct image_copy *copy = store->items[i];

                if (memcmp(copy->digest, digest, SHA256_SIZE) == 0 && streq(copy->path, path) &&
                    copy->given->mode == mode && is_same_signature(copy->given, signature))
                        return copy;
        }
        return NULL;
}

static uint64_t bytes_of(const struct given_store *store)
{
        uint64_t bytes = 0;

        for (size_t i = 0; i < store->n; i++)
                bytes += store->items[i]->image->payload_size + IMAGE_SUFFIX_SIZE;
        return bytes;
}

/* It is in the store from now on. */
static int add(struct given_store *store, struct image_copy *copy)
{
        struct image_copy **items = reallocarray(store->items, store->n + 1, sizeof(struct image_copy *));

        if (!items)
                return -ENOMEM;
        store->items = items;
        store->items[store->n++] = image_copy_ref(copy);
        return 0;
}

static int make(const struct config_policy *policy, const char *told_by, const struct given_image *given,
                const uint8_t *data, size_t len, const uint8_t digest[static SHA256_SIZE],
                struct image_copy **ret, char **ret_why)
{
        struct config_policy by = policy ? *policy : (struct config_policy){ .mode = POLICY_MODE_ROM };
        _cleanup_(image_copy_unrefp) struct image_copy *copy = NULL;
        struct image *image;
        int r;

        by.image = (char *)given->path;
        r = image_parse_by(&by, data, len, &image, ret_why);
        if (r == 0)
                r = image_copy_make(told_by, given->path, data, len, digest, image, &copy);
        if (r != 0)
                return r;
        copy->given = calloc(1, sizeof(*copy->given));
        if (!copy->given)
                return -ENOMEM;
        copy->given->told = copy->path + strlen(told_by) - strlen(given->path);
        copy->given->mode = by.mode;
        copy->given->has_signature = given->signature;
        if (given->signature)
                memcpy(copy->given->signature, given->signature, SIGNATURE_SIZE);
        *ret = take_ptr(copy);
        return 0;
}

/* One that is there already, or a new one. What is signed, pinned, looked at and kept are the same bytes. */
static int take(struct given_store *store, const struct config_policy *policy,
                const struct given_image *given, const uint8_t *data, size_t len, struct image_copy **ret,
                char **ret_why)
{
        _cleanup_(image_copy_unrefp) struct image_copy *copy = NULL;
        _cleanup_(freep) char *told_by = NULL;
        uint8_t digest[SHA256_SIZE];
        struct image_copy *found;
        int r = digest_sha256(data, len, digest);

        if (r == 0 && asprintf(&told_by, "user %s: %s", given->who, given->path) < 0)
                return told_by = NULL, -ENOMEM;
        if (r != 0)
                return r;
        found = find(store, policy ? policy->mode : POLICY_MODE_ROM, told_by, digest, given->signature);
        if (found) {
                *ret = image_copy_ref(found);
                return 0;
        }
        if (store->n > 0 && bytes_of(store) + len > (store->bytes_max ? store->bytes_max : GIVEN_BYTES_MAX))
                return image_refuse(ret_why, given->path,
                                    "no room beside the images that people gave for other jobs: expected "
                                    "these to end first");
        r = make(policy, told_by, given, data, len, digest, &copy, ret_why);
        if (r == 0)
                r = add(store, copy);
        if (r == 0)
                *ret = take_ptr(copy);
        return r;
}

int given_take(struct given_store *store, const struct config_policy *policy, const struct trusted_keys *keys,
               const struct given_image *given, struct image_copy **ret, char **ret_why)
{
        _cleanup_(image_copy_unrefp) struct image_copy *copy = NULL;
        _cleanup_(freep) uint8_t *data = NULL;
        _cleanup_(freep) char *why = NULL;
        size_t len = 0;
        int r;

        given_prune(store);
        r = check_memfd(given, &len, ret_why);
        if (r == 0)
                r = read_whole(given->fd, len, &data);
        if (r == 0)
                r = check_signature(policy, keys, given->path, given->signature, data, len, ret_why);
        if (r == 0)
                r = take(store, policy, given, data, len, &copy, ret_why);
        if (r == 0)
                r = note_verified(copy->given, policy, keys);
        if (r != 0)
                return r;
        r = policy ? policy_check_image(policy, copy->image, copy->digest, &why) : 0;
        if (r == 1)
                return image_refuse(ret_why, given->path, why);
        if (r == 0)
                *ret = take_ptr(copy);
        return r;
}
