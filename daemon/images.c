/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/images.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/sandbox.h"
#include "daemon/log.h"
#include "io/file.h"
#include "io/image-signature.h"
#include "io/sealed.h"

#define IMAGE_TOO_MUCH 2 /* of load(): it is good, but there is no room for it */

/* What a file is while nobody has touched it. */
struct identity {
        dev_t device;
        ino_t inode;
        off_t size;
        struct timespec mtime;
        /* Looked at by a reload alone: whoever sets mtime back has the file read again by one. */
        struct timespec ctime;
};

struct entry {
        char *path;
        enum policy_mode mode;
        /* A copy whose signature nobody looked at is none for a policy that requires one. */
        enum policy_signature signature;
        struct identity identity;
        struct identity signature_identity; /* where one is required: its file … */
        uint8_t keys[SHA256_SIZE];          /* … and trusted_keys_digest() */
        struct image_copy *copy;            /* NULL: refused … */
        char *why;                          /* … for this */
        uint64_t no_room_for;               /* … which is that there was none for these bytes */
};

struct images {
        struct entry *entries;
        size_t n_entries;
        uint64_t bytes_max;
        struct total *total;
};

/* The memory of all copies of policies' images that there are, those too that jobs alone still have. */
struct total {
        unsigned references;
        uint64_t bytes;
};

/* One memfd, which copies share. */
struct image_memory {
        unsigned references;
        uint64_t bytes;
        struct total *total;
};

static struct total *total_unref(struct total *total)
{
        if (total && --total->references == 0)
                free(total);
        return NULL;
}

static int memory_new(struct total *total, uint64_t bytes, struct image_memory **ret)
{
        struct image_memory *memory = calloc(1, sizeof(*memory));

        if (!memory)
                return -ENOMEM;
        *memory = (struct image_memory){ 1, bytes, total };
        total->references++;
        total->bytes += bytes;
        *ret = memory;
        return 0;
}

static void memory_unref(struct image_memory *memory)
{
        if (!memory || --memory->references > 0)
                return;
        memory->total->bytes -= memory->bytes;
        total_unref(memory->total);
        free(memory);
}

/* ---- a copy ---- */

struct image_copy *image_copy_ref(struct image_copy *copy)
{
        copy->references++;
        return copy;
}

struct image_copy *image_copy_unref(struct image_copy *copy)
{
        if (!copy || --copy->references > 0)
                return NULL;
        if (copy->fd >= 0)
                close(copy->fd);
        memory_unref(copy->memory);
        if (copy->image)
                image_free(copy->image);
        free(copy->path);
        free(copy->name);
        free(copy->version);
        free(copy->given);
        free(copy);
        return NULL;
}

static const char *base_name(const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

static int name_copy(struct image_copy *copy, const char *path, const char *file)
{
        const struct image *image = copy->image;
        int r = free_and_strdup(&copy->path, path);

        if (r == 0)
                r = free_and_strdup(&copy->name, image->app_name[0] ? image->app_name : base_name(file));
        if (r == 0 && image->app_version[0])
                r = free_and_strdup(&copy->version, image->app_version);
        return r;
}

/* Takes fd, or its error. */
static int make_around(int fd, size_t len, const char *path, const char *file,
                       const uint8_t sha256[static SHA256_SIZE], struct image *image, struct image_copy **ret)
{
        _cleanup_(image_copy_unrefp) struct image_copy *copy = calloc(1, sizeof(*copy));
        int r;

        if (!copy) {
                image_free(image);
                if (fd >= 0)
                        close(fd);
                return -ENOMEM;
        }
        copy->references = 1;
        copy->size = len;
        copy->image = image;
        memcpy(copy->digest, sha256, SHA256_SIZE);
        hex_encode(sha256, SHA256_SIZE, copy->sha256);
        copy->fd = fd;
        r = fd < 0 ? fd : name_copy(copy, path, file);
        if (r < 0)
                return r;
        *ret = take_ptr(copy);
        return 0;
}

int image_copy_make(const char *path, const char *file, const uint8_t *data, size_t len,
                    const uint8_t sha256[static SHA256_SIZE], struct image *image, struct image_copy **ret)
{
        return make_around(sealed_memfd("espdfu-image", data, len), len, path, file, sha256, image, ret);
}

/* ---- reading one ---- */

int image_refuse(char **ret_why, const char *path, const char *why)
{
        return asprintf(ret_why, "image %s: %s", path, why) < 0 ? -ENOMEM : 1;
}

static bool is_hidden_from_service(const char *path)
{
        return getenv("INVOCATION_ID") /* started by systemd */ && sandbox_hides(path);
}

static int refuse_unread(char **ret_why, const char *path, int error)
{
        char why[160];

        if (error == -EFBIG)
                return image_refuse(ret_why, path, "larger than 64 MiB");
        if (error == -EINVAL)
                return image_refuse(ret_why, path, "a device, a pipe or the like: expected a regular file");
        snprintf(why, sizeof(why), "%s%s", strerror(-error),
                 is_hidden_from_service(path)
                         ? ": the service sees nothing below /home, /root, /tmp and /run; /srv is a good place"
                 : error == -EACCES ? ": expected a file that the user of espdfud can read"
                                    : "");
        return image_refuse(ret_why, path, why);
}

static int refuse_for_finding(char **ret_why, const char *path, const struct findings *findings)
{
        for (size_t i = 0; i < findings->n_items; i++)
                if (findings->items[i].severity == FINDING_ERROR) {
                        _cleanup_(freep) char *text = finding_to_string(&findings->items[i]);

                        return text ? image_refuse(ret_why, path, text) : -ENOMEM;
                }
        return image_refuse(ret_why, path, "refused");
}

static void log_warnings(const char *path, const struct findings *findings)
{
        for (size_t i = 0; i < findings->n_items; i++) {
                _cleanup_(freep) char *text = finding_to_string(&findings->items[i]);

                if (findings->items[i].severity == FINDING_WARNING)
                        log_warning("image %s: %s", path, text ? text : "out of memory");
        }
}

int image_parse_by(const struct config_policy *policy, const uint8_t *data, size_t len, struct image **ret,
                   char **ret_why)
{
        _cleanup_(findings_done) struct findings findings = { 0 };
        int r;

        r = policy_parse_image(policy, data, len, &findings, ret);
        if (r == 1)
                return refuse_for_finding(ret_why, policy->image, &findings);
        if (r == 0)
                log_warnings(policy->image, &findings);
        return r;
}

/* The signature, before anybody looks at what is signed. */
static int check_signature(const struct config_policy *policy, const struct trusted_keys *keys,
                           const uint8_t *data, size_t len, char **ret_why)
{
        _cleanup_(freep) char *why = NULL;
        const struct trusted_key *by;
        int r = policy_check_signature(policy, keys, data, len, &by, &why);

        if (r == 0 && by)
                log_info("image %s: signed by %s", policy->image, by->name);
        return r == 1 ? image_refuse(ret_why, policy->image, why) : r;
}

/* ---- all of them together ---- */

/* A copy with these bytes, or NULL. */
static const struct image_copy *find_bytes(const struct images *images,
                                           const uint8_t sha256[static SHA256_SIZE])
{
        for (size_t i = 0; i < images->n_entries; i++)
                if (images->entries[i].copy &&
                    memcmp(images->entries[i].copy->digest, sha256, SHA256_SIZE) == 0)
                        return images->entries[i].copy;
        return NULL;
}

/* Of all copies that there are, but for that of one entry, if it goes when it is replaced: if no job has it, and no other copy
 * its memory. */
static uint64_t bytes_of_others(const struct images *images, const struct entry *except)
{
        const struct image_copy *copy = except->copy;
        bool goes = copy && copy->references == 1 && copy->memory->references == 1;

        return images->total->bytes - (goes ? copy->memory->bytes : 0);
}

static int refuse_for_bytes(const struct images *images, const char *path, char **ret_why)
{
        char why[128];

        snprintf(why, sizeof(why),
                 "with it the policies' images have more than %" PRIu64
                 " KiB: expected fewer, or smaller ones",
                 images->bytes_max / KIB);
        return image_refuse(ret_why, path, why) < 0 ? -ENOMEM : IMAGE_TOO_MUCH;
}

/* The same bytes under another name, or for a policy that asks for other things, are there already. */
static int seal(const struct images *images, const struct entry *entry, const char *path, const uint8_t *data,
                size_t len, const uint8_t sha256[static SHA256_SIZE], struct image *image,
                struct image_copy **ret, char **ret_why)
{
        const struct image_copy *twin = find_bytes(images, sha256);
        _cleanup_(image_copy_unrefp) struct image_copy *copy = NULL;
        int fd, r;

        if (twin) {
                fd = fcntl(twin->fd, F_DUPFD_CLOEXEC, 3);
                r = make_around(fd < 0 ? -errno : fd, len, path, path, sha256, image, ret);
                if (r < 0)
                        return r;
                (*ret)->memory = twin->memory;
                twin->memory->references++;
                return 0;
        }
        if (bytes_of_others(images, entry) + len > images->bytes_max) {
                image_free(image);
                return refuse_for_bytes(images, path, ret_why);
        }
        r = image_copy_make(path, path, data, len, sha256, image, &copy);
        if (r == 0)
                r = memory_new(images->total, len, &copy->memory);
        if (r == 0)
                *ret = take_ptr(copy);
        return r;
}

/* The file is read once: what is signed, pinned, parsed and sealed are the same bytes. */
static int load(const struct images *images, const struct entry *entry, const struct config_policy *policy,
                const struct trusted_keys *keys, struct image_copy **ret, char **ret_why)
{
        _cleanup_(freep) uint8_t *data = NULL;
        uint8_t sha256[SHA256_SIZE];
        struct image *image;
        size_t len;
        int r;

        r = file_read(policy->image, IMAGE_SIZE_MAX, &data, &len);
        if (r < 0)
                return refuse_unread(ret_why, policy->image, r);
        r = check_signature(policy, keys, data, len, ret_why);
        if (r == 0)
                r = digest_sha256(data, len, sha256);
        if (r == 0)
                r = image_parse_by(policy, data, len, &image, ret_why);
        if (r != 0)
                return r;
        return seal(images, entry, policy->image, data, len, sha256, image, ret, ret_why);
}

/* ---- the cache ---- */

uint64_t images_bytes_here(void)
{
        long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

        return pages > 0 && size > 0 ? MIN((uint64_t)pages * (uint64_t)size / 4, IMAGES_BYTES_MAX)
                                     : IMAGES_BYTES_MAX;
}

int images_new(uint64_t bytes_max, struct images **ret)
{
        struct images *images = calloc(1, sizeof(*images));

        if (!images)
                return -ENOMEM;
        images->bytes_max = bytes_max;
        images->total = calloc(1, sizeof(*images->total));
        if (!images->total) {
                free(images);
                return -ENOMEM;
        }
        images->total->references = 1;
        *ret = images;
        return 0;
}

static void entry_done(struct entry *entry)
{
        image_copy_unref(entry->copy);
        free(entry->path);
        free(entry->why);
}

struct images *images_free(struct images *images)
{
        for (size_t i = 0; i < images->n_entries; i++)
                entry_done(&images->entries[i]);
        free(images->entries);
        total_unref(images->total); /* copies that jobs have may stay for longer */
        free(images);
        return NULL;
}

static bool is_for(const struct entry *entry, const struct config_policy *policy)
{
        return entry->mode == policy->mode && entry->signature == policy->signature &&
               streq(entry->path, policy->image);
}

static struct entry *find(struct images *images, const struct config_policy *policy)
{
        for (size_t i = 0; i < images->n_entries; i++)
                if (is_for(&images->entries[i], policy))
                        return &images->entries[i];
        return NULL;
}

static int add(struct images *images, const struct config_policy *policy, struct entry **ret)
{
        struct entry *entries = reallocarray(images->entries, images->n_entries + 1, sizeof(*entries));
        struct entry *entry;

        if (!entries)
                return -ENOMEM;
        images->entries = entries;
        entry = &entries[images->n_entries];
        *entry = (struct entry){ .mode = policy->mode,
                                 .signature = policy->signature,
                                 .path = strdup(policy->image) };
        if (!entry->path)
                return -ENOMEM;
        images->n_entries++;
        *ret = entry;
        return 0;
}

/* Before the file is read: should it be replaced meanwhile, the next look sees another identity and reads again. */
static struct identity look_at(const char *path)
{
        struct stat st;

        if (stat(path, &st) < 0)
                return (struct identity){ 0 };
        return (struct identity){ st.st_dev, st.st_ino, st.st_size, st.st_mtim, st.st_ctim };
}

static bool is_same(const struct identity *was, const struct identity *now)
{
        return was->device == now->device && was->inode == now->inode && was->size == now->size &&
               was->mtime.tv_sec == now->mtime.tv_sec && was->mtime.tv_nsec == now->mtime.tv_nsec;
}

static int look_at_signature(const struct config_policy *policy, const struct trusted_keys *keys,
                             struct entry *now)
{
        _cleanup_(freep) char *path = NULL;

        if (policy->signature != POLICY_SIGNATURE_REQUIRED)
                return 0;
        path = image_signature_path(policy->image);
        if (!path)
                return -ENOMEM;
        now->signature_identity = look_at(path);
        return trusted_keys_digest(keys, now->keys);
}

/* A file that is not there may come any time, and is looked for each time; a signature that is not, is not the same as
 * one that is. */
static bool is_unchanged(const struct entry *entry, const struct entry *now)
{
        return now->identity.inode != 0 && is_same(&entry->identity, &now->identity) &&
               is_same(&entry->signature_identity, &now->signature_identity) &&
               memcmp(entry->keys, now->keys, sizeof(now->keys)) == 0;
}

/* It was refused for want of room, and there is some. */
static bool has_room_now(const struct images *images, const struct entry *entry)
{
        return entry->no_room_for > 0 &&
               bytes_of_others(images, entry) + entry->no_room_for <= images->bytes_max;
}

static int refresh(const struct images *images, struct entry *entry, const struct config_policy *policy,
                   const struct trusted_keys *keys)
{
        struct entry now = { .identity = look_at(policy->image) };
        int r = look_at_signature(policy, keys, &now);

        if (r < 0 ||
            ((entry->copy || entry->why) && is_unchanged(entry, &now) && !has_room_now(images, entry)))
                return r;
        r = load(images, entry, policy, keys, &now.copy, &now.why);
        if (r < 0)
                return r;
        image_copy_unref(entry->copy);
        free(entry->why);
        entry->no_room_for = r == IMAGE_TOO_MUCH ? (uint64_t)now.identity.size : 0;
        entry->copy = now.copy;
        entry->why = now.why;
        entry->identity = now.identity;
        entry->signature_identity = now.signature_identity;
        memcpy(entry->keys, now.keys, sizeof(now.keys));
        return 0;
}

/* What the policy demands of an image that is good as such. */
static int check_policy(const struct config_policy *policy, const struct image_copy *copy, char **ret_why)
{
        _cleanup_(freep) char *why = NULL;
        int r = policy_check_image(policy, copy->image, copy->digest, &why);

        return r == 1 ? image_refuse(ret_why, policy->image, why) : r;
}

int images_get(struct images *images, const struct config_policy *policy, const struct trusted_keys *keys,
               struct image_copy **ret, char **ret_why)
{
        struct entry *entry = find(images, policy);
        int r = 0;

        if (!entry)
                r = add(images, policy, &entry);
        if (r == 0)
                r = refresh(images, entry, policy, keys);
        if (r != 0)
                return r;
        if (!entry->copy) {
                /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): refresh() leaves a copy, or why there is none */
                *ret_why = strdup(entry->why);
                return *ret_why ? 1 : -ENOMEM;
        }
        r = check_policy(policy, entry->copy, ret_why);
        if (r == 0)
                *ret = image_copy_ref(entry->copy);
        return r;
}

static bool is_untouched(const struct entry *entry)
{
        struct identity now = look_at(entry->path);

        return is_same(&entry->identity, &now) && entry->identity.ctime.tv_sec == now.ctime.tv_sec &&
               entry->identity.ctime.tv_nsec == now.ctime.tv_nsec;
}

static bool is_named(const struct entry *entry, const struct config *config)
{
        for (size_t i = 0; i < config->n_policies; i++)
                if (config->policies[i].image && config->policies[i].action != POLICY_IGNORE &&
                    is_for(entry, &config->policies[i]))
                        return true;
        return false;
}

void images_prune(struct images *images, const struct config *config)
{
        size_t kept = 0;

        for (size_t i = 0; i < images->n_entries; i++) {
                if ((images->entries[i].copy || images->entries[i].no_room_for > 0) &&
                    is_named(&images->entries[i], config) && is_untouched(&images->entries[i]))
                        images->entries[kept++] = images->entries[i];
                else
                        entry_done(&images->entries[i]);
        }
        images->n_entries = kept;
}
