/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/data-pool.h"

#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "daemon/log.h"
#include "io/data-folder.h"

/* Not IN_CREATE: a file that is being written is told when it is closed. */
#define WATCHED                                                                                              \
        (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF |             \
         IN_MOVE_SELF | IN_ONLYDIR)

/* Names that are read and asked about in one turn of the loop: about a millisecond. */
#define SLICE 256

enum pool_state {
        POOL_UNKNOWN,
        POOL_READING,
        POOL_KNOWN,
        POOL_FAILED, /* it was read in vain: r and why */
};

struct data_pool {
        char *folder;
        uid_t owner;
        const struct data_pool_ops *ops;
        void *userdata;
        sd_event *event;
        enum pool_state state;
        struct data_folder reading;
        struct data_names names; /* free ones, in natural order */
        int r;
        char *why;
        sd_event_source *watch, *slices;
};

/* ---- names in natural order ---- */

/* Where the name is, or would be. */
static size_t place_of(const struct data_names *names, const char *name, bool *ret_found)
{
        size_t low = 0, high = names->n;

        *ret_found = false;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int order = strverscmp(names->names[middle], name);

                if (order == 0)
                        *ret_found = true;
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static int insert(struct data_pool *pool, const char *name)
{
        struct data_names *names = &pool->names;
        bool found;
        size_t at = place_of(names, name, &found);
        char *last;
        int r;

        if (found)
                return 0;
        r = data_names_add(names, name);
        if (r < 0)
                return r;
        last = names->names[names->n - 1];
        memmove(names->names + at + 1, names->names + at, (names->n - 1 - at) * sizeof(char *));
        names->names[at] = last;
        return 0;
}

void data_pool_strike(struct data_pool *pool, const char *name)
{
        struct data_names *names = &pool->names;
        bool found;
        size_t at = place_of(names, name, &found);

        if (!found)
                return;
        free(names->names[at]);
        names->n--;
        memmove(names->names + at, names->names + at + 1, (names->n - at) * sizeof(char *));
}

/* ---- its reading ---- */

static void enter(struct data_pool *pool, enum pool_state state)
{
        pool->state = state;
        if (state != POOL_READING) {
                pool->slices = sd_event_source_disable_unref(pool->slices);
                data_folder_close(&pool->reading);
        }
}

static void forget(struct data_pool *pool)
{
        enter(pool, POOL_UNKNOWN);
        data_names_done(&pool->names);
        pool->r = 0;
        (void)free_and_strdup(&pool->why, NULL);
}

/* Takes why. */
static void fail(struct data_pool *pool, int r, char *why)
{
        forget(pool);
        pool->r = r;
        pool->why = why;
        enter(pool, POOL_FAILED);
}

static int add_if_free(struct data_pool *pool, const char *name)
{
        _cleanup_(freep) char *path = NULL;
        int r = asprintf(&path, "%s/%s", pool->folder, name);

        if (r < 0) {
                path = NULL;
                return -ENOMEM;
        }
        r = pool->ops->is_free(pool->userdata, path);
        return r > 0 ? insert(pool, name) : r;
}

/* 0: and there is more; DATA_FOLDER_END; 1 and *ret_why; or a negative errno. */
static int read_slice(struct data_pool *pool, char **ret_why)
{
        _cleanup_(data_names_done) struct data_names names = { 0 };
        int end = data_folder_read(&pool->reading, pool->folder, SLICE, &names, ret_why), r = 0;

        if (end != 0 && end != DATA_FOLDER_END)
                return end;
        for (size_t i = 0; i < names.n && r == 0; i++)
                r = add_if_free(pool, names.names[i]);
        return r < 0 ? r : end;
}

static int on_slice(sd_event_source *source, void *userdata)
{
        struct data_pool *pool = userdata;
        char *why = NULL;
        int r = read_slice(pool, &why);

        (void)source;
        if (r == 0)
                return 0;
        if (r == DATA_FOLDER_END)
                enter(pool, POOL_KNOWN);
        else
                fail(pool, r, why);
        pool->ops->changed(pool->userdata);
        return 0;
}

static bool is_a_file(const struct data_pool *pool, const char *name)
{
        _cleanup_(freep) char *path = NULL;
        struct stat st;

        if (asprintf(&path, "%s/%s", pool->folder, name) < 0) {
                path = NULL;
                return false;
        }
        return lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}

void data_pool_look_at(struct data_pool *pool, const char *name)
{
        int r;

        if (pool->state != POOL_READING && pool->state != POOL_KNOWN)
                return;
        data_pool_strike(pool, name);
        r = is_a_file(pool, name) ? add_if_free(pool, name) : 0;
        /* Reading it again says why. */
        if (r < 0 || (r == 0 && pool->names.n > DATA_FOLDER_NAMES_MAX))
                forget(pool);
}

static int on_folder(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
        struct data_pool *pool = userdata;

        (void)source;
        if (event->len > 0 && event->name[0] == '.')
                return 0; /* on its way to its name */
        if (event->len > 0 && pool->state != POOL_FAILED)
                data_pool_look_at(pool, event->name);
        else
                forget(pool);
        /* The folder itself is gone, or another now: found anew when it is needed. */
        if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT))
                pool->watch = sd_event_source_disable_unref(pool->watch);
        pool->ops->changed(pool->userdata);
        return 0;
}

/* Before it is read, so that nothing is missed between the two. */
static void watch(struct data_pool *pool)
{
        int r;

        if (pool->watch)
                return;
        r = sd_event_add_inotify(pool->event, &pool->watch, pool->folder, WATCHED, on_folder, pool);
        if (r < 0) {
                pool->watch = NULL;
                log_warning("%s cannot be watched: %s; espdfuctl reload looks at it again", pool->folder,
                            strerror(-r));
        }
}

static int begin(struct data_pool *pool, char **ret_why)
{
        int r;

        watch(pool);
        r = data_folder_open(pool->folder, pool->owner, &pool->reading, ret_why);
        if (r != 0)
                return r;
        r = sd_event_add_defer(pool->event, &pool->slices, on_slice, pool);
        if (r >= 0)
                r = sd_event_source_set_enabled(pool->slices, SD_EVENT_ON);
        enter(pool, r < 0 ? POOL_UNKNOWN : POOL_READING);
        return MIN(r, 0);
}

/* Told once where reading it again may help; what is wrong with the folder stays until something changes there. */
static int told_failure(struct data_pool *pool, char **ret_why)
{
        int r = pool->r;

        if (r < 0) {
                forget(pool);
                return r;
        }
        *ret_why = strdup(pool->why);
        return *ret_why ? DATA_POOL_REFUSED : -ENOMEM;
}

int data_pool_first(struct data_pool *pool, const char **ret_name, char **ret_why)
{
        int r;

        switch (pool->state) {
        case POOL_UNKNOWN:
                r = begin(pool, ret_why);
                return r == 0 ? DATA_POOL_LATER : r;
        case POOL_READING:
                return DATA_POOL_LATER;
        case POOL_FAILED:
                return told_failure(pool, ret_why);
        case POOL_KNOWN:
                break;
        }
        if (pool->names.n == 0)
                return DATA_POOL_EMPTY;
        *ret_name = pool->names.names[0];
        return 0;
}

/* ---- its making ---- */

int data_pool_new(sd_event *event, const char *folder, uid_t owner, const struct data_pool_ops *ops,
                  void *userdata, struct data_pool **ret)
{
        _cleanup_(data_pool_freep) struct data_pool *pool = calloc(1, sizeof(*pool));

        if (!pool)
                return -ENOMEM;
        pool->event = sd_event_ref(event);
        pool->owner = owner;
        pool->ops = ops;
        pool->userdata = userdata;
        if (free_and_strdup(&pool->folder, folder) < 0)
                return -ENOMEM;
        *ret = take_ptr(pool);
        return 0;
}

struct data_pool *data_pool_free(struct data_pool *pool)
{
        forget(pool);
        sd_event_source_disable_unref(pool->watch);
        sd_event_unref(pool->event);
        free(pool->folder);
        free(pool);
        return NULL;
}
