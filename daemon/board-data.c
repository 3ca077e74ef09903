/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/board-data.h"

#include <stdio.h>
#include <sys/inotify.h>

#include "daemon/log.h"
#include "io/data-folder.h"

/* Not IN_CREATE: a file that is being written is told when it is closed. */
#define WATCHED                                                                                              \
        (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF |             \
         IN_MOVE_SELF | IN_ONLYDIR)

/* A folder and its unused names. */
struct pool {
        struct pool *next;
        struct board_data *owner;
        char *folder;
        struct data_names unused;
        size_t first;  /* of unused that was not given out since */
        size_t n_used; /* by the ledger, and claimed */
        bool known;    /* unused is what is there */
        sd_event_source *watch;
};

/* Between the choice of a file and the commit that makes it a board's. */
struct claim {
        struct claim *next;
        char *job, *folder, *file, *mac;
        char sha256[SHA256_HEX];
        bool in_ledger; /* met there while its commit was not told yet */
};

struct board_data {
        sd_event *event;
        struct ledger *ledger;
        uid_t owner;
        struct pool *pools;
        struct claim *claims;
        sd_event_source *changed_source;
        void (*changed)(void *userdata);
        void *userdata;
};

void board_data_file_done(struct board_data_file *file)
{
        free(file->path);
        free(file->data);
        *file = (struct board_data_file){ 0 };
}

/* ---- pools ---- */

static void pool_forget(struct pool *pool)
{
        data_names_done(&pool->unused);
        pool->first = 0;
        pool->known = false;
}

static struct pool *pool_free(struct pool *pool)
{
        pool_forget(pool);
        sd_event_source_disable_unref(pool->watch);
        free(pool->folder);
        free(pool);
        return NULL;
}

static void free_pools(struct board_data *data)
{
        while (data->pools) {
                struct pool *pool = data->pools;

                data->pools = pool->next;
                pool_free(pool);
        }
}

static int pool_get(struct board_data *data, const char *folder, struct pool **ret)
{
        struct pool *pool;

        for (pool = data->pools; pool; pool = pool->next)
                if (streq(pool->folder, folder)) {
                        *ret = pool;
                        return 0;
                }
        pool = calloc(1, sizeof(*pool));
        if (!pool || !(pool->folder = strdup(folder))) {
                free(pool);
                return -ENOMEM;
        }
        pool->owner = data;
        pool->next = data->pools;
        data->pools = pool;
        *ret = pool;
        return 0;
}

static int on_folder(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
        struct pool *pool = userdata;

        (void)source;
        if (event->len > 0 && event->name[0] == '.')
                return 0; /* on its way to its name */
        pool_forget(pool);
        /* The folder itself is gone, or another now: found anew when it is needed. */
        if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT))
                pool->watch = sd_event_source_disable_unref(pool->watch);
        board_data_poke(pool->owner);
        return 0;
}

/* Before it is read, so that nothing is missed between the two. */
static void pool_watch(struct pool *pool)
{
        int r;

        if (pool->watch)
                return;
        r = sd_event_add_inotify(pool->owner->event, &pool->watch, pool->folder, WATCHED, on_folder, pool);
        if (r < 0) {
                pool->watch = NULL;
                log_warning("%s cannot be watched: %s; espdfuctl reload looks at it again", pool->folder,
                            strerror(-r));
        }
}

/* ---- what is unused ---- */

static const char *base_name(const char *path)
{
        return strrchr(path, '/') + 1;
}

static int compare_names(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in the order of strcmp(), met with used ones in the same order. */
struct sieve {
        struct pool *pool;
        struct data_names names;
        bool *used; /* which of names are */
        size_t at;
};

static void sieve_done(struct sieve *sieve)
{
        data_names_done(&sieve->names);
        free(sieve->used);
}

static void on_used(void *userdata, const char *file)
{
        struct sieve *sieve = userdata;
        const char *name = base_name(file);

        for (struct claim *claim = sieve->pool->owner->claims; claim; claim = claim->next)
                claim->in_ledger = claim->in_ledger || streq(claim->file, file);
        sieve->pool->n_used++;
        while (sieve->at < sieve->names.n && strcmp(sieve->names.names[sieve->at], name) < 0)
                sieve->at++;
        if (sieve->at < sieve->names.n && streq(sieve->names.names[sieve->at], name))
                sieve->used[sieve->at++] = true;
}

static void strike_claims(struct sieve *sieve)
{
        const struct pool *pool = sieve->pool;

        for (const struct claim *claim = pool->owner->claims; claim; claim = claim->next) {
                const char *name = base_name(claim->file);
                char **found;

                if (!streq(claim->folder, pool->folder))
                        continue;
                sieve->pool->n_used += !claim->in_ledger;
                found = sieve->names.n > 0 ? bsearch(&name, sieve->names.names, sieve->names.n,
                                                     sizeof(char *), compare_names)
                                           : NULL;
                if (found)
                        sieve->used[found - sieve->names.names] = true;
        }
}

/* What is left becomes the pool's, in the order in which it is given out. */
static void keep_unused(struct sieve *sieve)
{
        struct data_names *names = &sieve->names;
        size_t kept = 0;

        for (size_t i = 0; i < names->n; i++)
                if (sieve->used[i])
                        free(names->names[i]);
                else
                        names->names[kept++] = names->names[i];
        names->n = kept;
        data_names_sort(names);
        sieve->pool->unused = *names;
        sieve->pool->known = true;
        *names = (struct data_names){ 0 };
}

/* Reads the folder, unless nothing has changed there. As board_data_take(). */
static int pool_refresh(struct pool *pool, char **ret_why)
{
        _cleanup_(sieve_done) struct sieve sieve = { .pool = pool };
        int r;

        if (pool->known)
                return 0;
        pool_watch(pool);
        r = data_folder_list(pool->folder, pool->owner->owner, &sieve.names, ret_why);
        if (r != 0)
                return r;
        sieve.used = calloc(sieve.names.n + 1, sizeof(bool));
        if (!sieve.used)
                return -ENOMEM;
        pool->n_used = 0;
        for (struct claim *claim = pool->owner->claims; claim; claim = claim->next)
                claim->in_ledger = false;
        r = ledger_data_used(pool->owner->ledger, pool->folder, on_used, &sieve);
        if (r < 0)
                return r;
        strike_claims(&sieve);
        keep_unused(&sieve);
        return 0;
}

/* The path of the next unused file, to be freed. */
static int pool_next(struct pool *pool, char **ret_path, char **ret_why)
{
        int r = pool_refresh(pool, ret_why);
        char *path;

        if (r != 0)
                return r;
        if (pool->first == pool->unused.n) {
                r = asprintf(ret_why, "no unused file left in %s (%zu used)", pool->folder, pool->n_used);
                return r < 0 ? -ENOMEM : 1;
        }
        r = asprintf(&path, "%s/%s", pool->folder, pool->unused.names[pool->first]);
        if (r < 0)
                return -ENOMEM;
        *ret_path = path;
        return 0;
}

/* ---- claims ---- */

static struct claim *claim_free(struct claim *claim)
{
        if (!claim)
                return NULL;
        free(claim->job);
        free(claim->folder);
        free(claim->file);
        free(claim->mac);
        free(claim);
        return NULL;
}
DEFINE_CLEANUP(struct claim, claim_free)

static int claim_add(struct board_data *data, const struct board_data_want *want,
                     const struct board_data_file *file)
{
        _cleanup_(claim_freep) struct claim *claim = calloc(1, sizeof(*claim));

        if (!claim || free_and_strdup(&claim->job, want->job) < 0 ||
            free_and_strdup(&claim->folder, want->folder) < 0 ||
            free_and_strdup(&claim->file, file->path) < 0 || free_and_strdup(&claim->mac, want->mac) < 0)
                return -ENOMEM;
        memcpy(claim->sha256, file->sha256, sizeof(claim->sha256));
        claim->next = data->claims;
        data->claims = take_ptr(claim);
        return 0;
}

/* Returns whether there was one. */
static bool claim_end(struct board_data *data, const char *job, bool committed)
{
        for (struct claim **link = &data->claims; *link; link = &(*link)->next) {
                struct claim *claim = *link;
                struct pool *pool;

                if (!streq(claim->job, job))
                        continue;
                *link = claim->next;
                if (!committed && pool_get(data, claim->folder, &pool) == 0)
                        pool_forget(pool);
                claim_free(claim);
                return true;
        }
        return false;
}

void board_data_commit(struct board_data *data, const char *job)
{
        claim_end(data, job, true);
}

void board_data_refuse(struct board_data *data, const char *job)
{
        claim_end(data, job, false);
}

void board_data_release(struct board_data *data, const char *job)
{
        if (claim_end(data, job, false))
                board_data_poke(data);
}

/* ---- which file ---- */

static int refuse(char **ret_why, const char *path, const char *why, const char *what)
{
        return asprintf(ret_why, "%s: %s%s", path, why, what) < 0 ? -ENOMEM : 1;
}

/* "board 7c:df:a1:0b:00:12", or the slot of one without a MAC. */
static int refuse_taken(char **ret_why, const char *path, const struct board_data_row *row)
{
        return asprintf(ret_why,
                        "%s: the same content as %s, which %s %s got: expected a file of its own for each "
                        "board",
                        path, row->file, row->mac ? "board" : "a board in slot",
                        row->mac ? row->mac : row->slot) < 0
                       ? -ENOMEM
                       : 1;
}

/* The claim of another job at the same board. */
static const struct claim *claim_of_mac(const struct board_data *data, const struct board_data_want *want)
{
        const struct claim *claim = want->mac ? data->claims : NULL;

        while (claim && !(streq_ptr(claim->mac, want->mac) && streq(claim->folder, want->folder)))
                claim = claim->next;
        return claim;
}

/* What the ledger says that it has. 1 and *ret, 0, or a negative errno. take: it is about to get it. */
static int find_in_ledger(struct board_data *data, const struct board_data_want *want, bool take,
                          struct board_data_row *ret)
{
        struct board_data_row moved;
        int r = ledger_data_of_board(data->ledger, want->folder, want->mac, &want->presence, ret);

        if (r != 0 || want->mac || !want->dfu_mode)
                return r;
        r = ledger_data_interrupted(data->ledger, want->folder, &want->presence, ret);
        if (r != 1 || !take)
                return r;
        moved = *ret;
        moved.path = (char *)want->presence.path;
        moved.devnum = want->presence.devnum;
        moved.initialized_usec = want->presence.initialized_usec;
        r = ledger_data_moved(data->ledger, &moved);
        return r < 0 ? r : 1;
}

/* What the board has already: within this job, by a claim, by the ledger. 1 and path and content's hash, 0: nothing. */
static int find_own(struct board_data *data, const struct board_data_want *want, bool take, char **ret_path,
                    char *ret_sha256)
{
        _cleanup_(board_data_row_done) struct board_data_row row = { 0 };
        const struct claim *claim = claim_of_mac(data, want);
        const char *path = want->file, *sha256 = want->sha256;
        int r;

        if (!path && claim) {
                path = claim->file;
                sha256 = claim->sha256;
        }
        if (!path) {
                r = find_in_ledger(data, want, take, &row);
                if (r <= 0)
                        return r;
                path = row.file;
                sha256 = row.sha256;
        }
        snprintf(ret_sha256, SHA256_HEX, "%s", sha256);
        r = free_and_strdup(ret_path, path);
        return r < 0 ? r : 1;
}

/* Reads the file at file->path, which is the caller's. */
static int read_file(struct board_data *data, struct board_data_file *file, char **ret_why)
{
        uint8_t digest[SHA256_SIZE];
        int r = data_file_read(file->path, data->owner, &file->data, &file->len, ret_why);

        if (r == 0)
                r = digest_sha256(file->data, file->len, digest);
        if (r == 0)
                hex_encode(digest, SHA256_SIZE, file->sha256);
        return r;
}

static int take_own(struct board_data *data, struct board_data_file *file, const char *sha256, char **ret_why)
{
        int r = read_file(data, file, ret_why);

        if (r == 0 && !streq(file->sha256, sha256))
                return refuse(ret_why, file->path, "not what this board got before: expected SHA-256 ",
                              sha256);
        return r;
}

/* The same bytes are the same identity, whatever their name. */
static int check_content(struct board_data *data, const struct board_data_file *file, char **ret_why)
{
        _cleanup_(board_data_row_done) struct board_data_row row = { 0 };
        int r;

        for (const struct claim *claim = data->claims; claim; claim = claim->next)
                if (streq(claim->sha256, file->sha256))
                        return refuse(ret_why, file->path, "the same content as ", claim->file);
        r = ledger_data_by_content(data->ledger, file->sha256, &row);
        return r == 1 ? refuse_taken(ret_why, file->path, &row) : r;
}

static int take_next(struct board_data *data, const struct board_data_want *want,
                     struct board_data_file *file, char **ret_why)
{
        struct pool *pool;
        int r = pool_get(data, want->folder, &pool);

        if (r == 0)
                r = pool_next(pool, &file->path, ret_why);
        if (r == 0)
                r = read_file(data, file, ret_why);
        if (r == 0)
                r = check_content(data, file, ret_why);
        if (r == 0)
                r = claim_add(data, want, file);
        if (r != 0)
                return r;
        pool->first++;
        pool->n_used++;
        return 0;
}

int board_data_take(struct board_data *data, const struct board_data_want *want, struct board_data_file *ret,
                    char **ret_why)
{
        _cleanup_(board_data_file_done) struct board_data_file file = { 0 };
        char sha256[SHA256_HEX];
        int r = find_own(data, want, true, &file.path, sha256);

        if (r == 1)
                r = take_own(data, &file, sha256, ret_why);
        else if (r == 0)
                r = take_next(data, want, &file, ret_why);
        if (r != 0)
                return r;
        *ret = file;
        file = (struct board_data_file){ 0 };
        return 0;
}

int board_data_peek(struct board_data *data, const struct board_data_want *want, char **ret_path,
                    char **ret_why)
{
        char sha256[SHA256_HEX];
        struct pool *pool;
        int r = find_own(data, want, false, ret_path, sha256);

        if (r != 0)
                return MIN(r, 0);
        r = pool_get(data, want->folder, &pool);
        return r == 0 ? pool_next(pool, ret_path, ret_why) : r;
}

/* ---- its making ---- */

static int on_changed(sd_event_source *source, void *userdata)
{
        struct board_data *data = userdata;

        (void)source;
        data->changed(data->userdata);
        return 0;
}

void board_data_poke(struct board_data *data)
{
        sd_event_source_set_enabled(data->changed_source, SD_EVENT_ONESHOT);
}

void board_data_reload(struct board_data *data)
{
        free_pools(data);
        board_data_poke(data);
}

int board_data_new(sd_event *event, struct ledger *ledger, void (*changed)(void *userdata), void *userdata,
                   struct board_data **ret)
{
        _cleanup_(board_data_freep) struct board_data *data = calloc(1, sizeof(*data));
        int r;

        if (!data)
                return -ENOMEM;
        data->event = sd_event_ref(event);
        data->ledger = ledger;
        data->owner = data_folder_owner();
        data->changed = changed;
        data->userdata = userdata;
        r = sd_event_add_defer(event, &data->changed_source, on_changed, data);
        if (r >= 0)
                r = sd_event_source_set_enabled(data->changed_source, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = take_ptr(data);
        return 0;
}

struct board_data *board_data_free(struct board_data *data)
{
        free_pools(data);
        while (data->claims) {
                struct claim *claim = data->claims;

                data->claims = claim->next;
                claim_free(claim);
        }
        sd_event_source_disable_unref(data->changed_source);
        sd_event_unref(data->event);
        free(data);
        return NULL;
}
