/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The images that policies name: read once, validated once, kept in a sealed memfd while the file is unchanged (device,
 * inode, size, mtime). A file that is replaced in mid-run never reaches a running job: the job holds the old copy.
 * Spellings of one file, and files with the same bytes, share one memfd, and all memfds have a bound together.
 * Where a policy requires a signature, the copy is kept while its file and the keys are unchanged too.
 */
#pragma once

#include "core/policy-image.h"

struct images; /* the cache */

/* Of an image that a person gave (daemon/given.h): what a policy may ask of it, whenever that is. */
struct image_given {
        const char *told;      /* the path alone; borrowed from the copy's */
        enum policy_mode mode; /* that it was looked at for */
        bool has_signature;
        uint8_t signature[SIGNATURE_SIZE];
        bool is_verified; /* the signature, by one of the keys with this trusted_keys_digest() */
        uint8_t keys[SHA256_SIZE];
};

struct image_memory; /* daemon/images.c */

/* One image; immutable, counted: held by the cache and by each job that runs it. */
struct image_copy {
        unsigned references;
        int fd;                      /* the memfd; sealed */
        uint64_t size;               /* its bytes */
        struct image_memory *memory; /* where it counts; NULL: no policy named it */
        char *path; /* the policy's; or whose it is and the path as told: "user joe: /home/joe/gizmo.bin" */
        uint8_t digest[SHA256_SIZE];
        char sha256[SHA256_HEX]; /* the same, hexadecimal */
        struct image *image;
        char *name, *version;      /* the application's, else the file's; version may be NULL */
        struct image_given *given; /* owned; NULL: a policy named it */
};

/* The policies' images together, with those that were replaced since and that jobs still have, on a machine with four times as
 * much memory. */
#define IMAGES_BYTES_MAX (2048 * MIB)

/* As many bytes as this machine may have of them: a quarter of its memory, at most IMAGES_BYTES_MAX. */
uint64_t images_bytes_here(void);
int images_new(uint64_t bytes_max, struct images **ret);
struct images *images_free(struct images *images);
DEFINE_CLEANUP(struct images, images_free)

/*
 * The policy's image as it is on disk now, its signature by one of the keys (where the policy requires one) and its pin
 * checked over the very bytes of the copy. What is composed out of it for one board begins with this copy. Returns 0 and *ret, a reference; 1 with *ret_why, one line to be freed, where
 * it cannot be used; or -ENOMEM.
 */
int images_get(struct images *images, const struct config_policy *policy, const struct trusted_keys *keys,
               struct image_copy **ret, char **ret_why);

/* What images_get() makes a copy by. policy->image names it in *ret_why and in warnings. Results as there. */
int image_parse_by(const struct config_policy *policy, const uint8_t *data, size_t len, struct image **ret,
                   char **ret_why);
/* "image PATH: WHY"; 1 or -ENOMEM. */
int image_refuse(char **ret_why, const char *path, const char *why);
/* Takes image, also on failure; file: what it is called where nothing in it says a name. 0 and *ret, or a negative errno. */
int image_copy_make(const char *path, const char *file, const uint8_t *data, size_t len,
                    const uint8_t sha256[static SHA256_SIZE], struct image *image, struct image_copy **ret);

/* Drops what no policy of this configuration names any more, and what was refused but for want of room; what is kept is not
 * read again while its file is unchanged. */
void images_prune(struct images *images, const struct config *config);

struct image_copy *image_copy_ref(struct image_copy *copy);
struct image_copy *image_copy_unref(struct image_copy *copy);
DEFINE_CLEANUP(struct image_copy, image_copy_unref)
