/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/board-data.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "daemon/data-pool.h"
#include "io/data-folder.h"

struct folder {
        struct folder *next;
        char *path;
        struct data_pool *pool;
        bool counted;
        uint64_t n_used; /* by the ledger */
};

/* Between the choice of a file and the commit that makes it a board's. */
struct claim {
        struct claim *next;
        char *job, *folder, *file, *mac;
        char sha256[SHA256_HEX];
        bool counted; /* in n_used: its commit was not told yet when the ledger was asked */
};

struct board_data {
        sd_event *event;
        struct ledger *ledger;
        uid_t owner;
        struct folder *folders;
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

/* ---- folders ---- */

static const char *base_name(const char *path)
{
        return strrchr(path, '/') + 1;
}

static int is_free(void *userdata, const char *path)
{
        struct board_data *data = userdata;
        int r;

        for (const struct claim *claim = data->claims; claim; claim = claim->next)
                if (streq(claim->file, path))
                        return 0;
        r = ledger_data_is_used(data->ledger, path);
        return r < 0 ? r : !r;
}

static void on_pool_changed(void *userdata)
{
        board_data_poke(userdata);
}

static struct folder *folder_free(struct folder *folder)
{
        if (!folder)
                return NULL;
        if (folder->pool)
                data_pool_free(folder->pool);
        free(folder->path);
        free(folder);
        return NULL;
}
DEFINE_CLEANUP(struct folder, folder_free)

static void free_folders(struct board_data *data)
{
        while (data->folders) {
                struct folder *folder = data->folders;

                data->folders = folder->next;
                folder_free(folder);
        }
}

static struct folder *folder_find(struct board_data *data, const char *path)
{
        struct folder *folder = data->folders;

        while (folder && !streq(folder->path, path))
                folder = folder->next;
        return folder;
}

static int folder_get(struct board_data *data, const char *path, struct folder **ret)
{
        static const struct data_pool_ops ops = { .is_free = is_free, .changed = on_pool_changed };
        _cleanup_(folder_freep) struct folder *folder = NULL;
        int r;

        *ret = folder_find(data, path);
        if (*ret)
                return 0;
        folder = calloc(1, sizeof(*folder));
        if (!folder)
                return -ENOMEM;
        r = free_and_strdup(&folder->path, path);
        if (r == 0)
                r = data_pool_new(data->event, path, data->owner, &ops, data, &folder->pool);
        if (r < 0)
                return r;
        folder->next = data->folders;
        *ret = data->folders = take_ptr(folder);
        return 0;
}

/* The ledger is asked once; from then on each commit counts. */
static int count_used(struct board_data *data, struct folder *folder)
{
        int r = folder->counted ? 0 : ledger_data_count(data->ledger, folder->path, &folder->n_used);

        for (struct claim *claim = data->claims; claim && r >= 0 && !folder->counted; claim = claim->next)
                if (streq(claim->folder, folder->path)) {
                        r = ledger_data_is_used(data->ledger, claim->file);
                        claim->counted = r > 0;
                }
        folder->counted = r >= 0;
        return MIN(r, 0);
}

/* By the ledger, and claimed. */
static int say_empty(struct board_data *data, struct folder *folder, char **ret_why)
{
        int r = count_used(data, folder);
        uint64_t n = folder->n_used;

        if (r < 0)
                return r;
        for (const struct claim *claim = data->claims; claim; claim = claim->next)
                n += streq(claim->folder, folder->path) && !claim->counted;
        r = asprintf(ret_why, "no unused file left in %s (%" PRIu64 " used)", folder->path, n);
        return r < 0 ? -ENOMEM : BOARD_DATA_WAITS;
}

static int say_later(const struct folder *folder, char **ret_why)
{
        return asprintf(ret_why, "waits: %s is being read", folder->path) < 0 ? -ENOMEM : BOARD_DATA_LATER;
}

/* The path of the next unused file, to be freed. As board_data_take(). */
static int next_of(struct board_data *data, struct folder *folder, char **ret_path, char **ret_why)
{
        const char *name;
        char *path;
        int r = data_pool_first(folder->pool, &name, ret_why);

        switch (r) {
        case DATA_POOL_REFUSED:
                return BOARD_DATA_WAITS;
        case DATA_POOL_LATER:
                return say_later(folder, ret_why);
        case DATA_POOL_EMPTY:
                return say_empty(data, folder, ret_why);
        }
        if (r < 0)
                return r;
        if (asprintf(&path, "%s/%s", folder->path, name) < 0)
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

/* The job's, out of the list, or NULL. */
static struct claim *claim_out(struct board_data *data, const char *job)
{
        for (struct claim **link = &data->claims; *link; link = &(*link)->next) {
                struct claim *claim = *link;

                if (!streq(claim->job, job))
                        continue;
                *link = claim->next;
                return claim;
        }
        return NULL;
}

void board_data_commit(struct board_data *data, const char *job)
{
        _cleanup_(claim_freep) struct claim *claim = claim_out(data, job);
        struct folder *folder = claim ? folder_find(data, claim->folder) : NULL;

        if (folder && folder->counted)
                folder->n_used += !claim->counted;
}

/* Returns whether there was one. */
static bool claim_end(struct board_data *data, const char *job)
{
        _cleanup_(claim_freep) struct claim *claim = claim_out(data, job);
        struct folder *folder = claim ? folder_find(data, claim->folder) : NULL;

        if (folder)
                data_pool_look_at(folder->pool, base_name(claim->file));
        return claim;
}

void board_data_refuse(struct board_data *data, const char *job)
{
        claim_end(data, job);
}

void board_data_release(struct board_data *data, const char *job)
{
        if (claim_end(data, job))
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

/* It was there when its folder was read, and is gone since: the next one. */
static bool is_gone(const char *path)
{
        struct stat st;

        return lstat(path, &st) < 0 && errno == ENOENT;
}

static int take_next(struct board_data *data, const struct board_data_want *want,
                     struct board_data_file *file, char **ret_why)
{
        struct folder *folder;
        int r = folder_get(data, want->folder, &folder);

        if (r == 0)
                r = next_of(data, folder, &file->path, ret_why);
        if (r != 0)
                return r;
        r = read_file(data, file, ret_why);
        if (r == 1 && is_gone(file->path)) {
                data_pool_strike(folder->pool, base_name(file->path));
                board_data_poke(data);
                (void)free_and_strdup(ret_why, NULL);
                return say_later(folder, ret_why);
        }
        if (r == 0)
                r = check_content(data, file, ret_why);
        if (r == 0)
                r = claim_add(data, want, file);
        if (r == 0)
                data_pool_strike(folder->pool, base_name(file->path));
        return r;
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
        struct folder *folder;
        int r = find_own(data, want, false, ret_path, sha256);

        if (r != 0)
                return MIN(r, 0);
        r = folder_get(data, want->folder, &folder);
        return r == 0 ? next_of(data, folder, ret_path, ret_why) : r;
}

int board_data_read_ahead(struct board_data *data, const char *path, char **ret_why)
{
        struct folder *folder;
        const char *name;
        int r = folder_get(data, path, &folder);

        if (r == 0)
                r = data_pool_first(folder->pool, &name, ret_why);
        return r == DATA_POOL_REFUSED ? BOARD_DATA_WAITS : MIN(r, 0);
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
        free_folders(data);
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
        free_folders(data);
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
