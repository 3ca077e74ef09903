/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/composed.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/image-compose.h"
#include "io/sealed.h"

/* The image that the policy names, as it lies in its memfd. */
struct view {
        uint8_t *data;
        size_t len;
};

static int view_open(int fd, struct view *ret)
{
        struct stat st;
        void *data;

        if (fstat(fd, &st) < 0)
                return -errno;
        data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
                return -errno;
        *ret = (struct view){ data, (size_t)st.st_size };
        return 0;
}

static void view_done(struct view *view)
{
        if (view->data)
                munmap(view->data, view->len);
}

static int refuse_full(struct composed_store *store, char **ret_why)
{
        store->wanted = true;
        return asprintf(ret_why,
                        "waits: %zu images with board data are in memory (%" PRIu64
                        " MiB): expected at most %u and "
                        "%" PRIu64 " MiB",
                        store->n, store->bytes / MIB, COMPOSED_MAX, COMPOSED_BYTES_MAX / MIB) < 0
                       ? -ENOMEM
                       : COMPOSED_FULL;
}

/* Takes nothing of data. */
static int keep(struct composed_store *store, const uint8_t *data, size_t len, struct composed **ret)
{
        struct composed *composed = calloc(1, sizeof(*composed));
        int fd;

        if (!composed)
                return -ENOMEM;
        fd = sealed_memfd("espdfu-composed", data, len);
        if (fd < 0) {
                free(composed);
                return fd;
        }
        *composed = (struct composed){ store, fd, len };
        store->n++;
        store->bytes += len;
        *ret = composed;
        return 0;
}

int composed_may_make(struct composed_store *store, sd_event *event, const struct image_copy *base,
                      size_t len, char **ret_why)
{
        uint64_t iteration = 0;
        struct stat st;
        int r;

        if (fstat(base->fd, &st) < 0)
                return -errno;
        if (store->n > 0 &&
            (store->n >= COMPOSED_MAX || store->bytes + (uint64_t)st.st_size + len > COMPOSED_BYTES_MAX))
                return refuse_full(store, ret_why);
        r = sd_event_get_iteration(event, &iteration);
        if (r < 0)
                return r;
        return iteration > 0 && iteration == store->last_iteration ? COMPOSED_LATER : 0;
}

int composed_make(struct composed_store *store, sd_event *event, const struct image_copy *base,
                  uint32_t address, const uint8_t *data, size_t len, struct composed **ret, char **ret_why)
{
        const struct board_data_piece piece = { address, data, len };
        _cleanup_(view_done) struct view view = { 0 };
        _cleanup_(freep) uint8_t *made = NULL;
        struct fault fault;
        size_t made_len;
        int r = composed_may_make(store, event, base, len, ret_why);

        if (r == 0)
                r = view_open(base->fd, &view);
        if (r != 0)
                return r;
        (void)sd_event_get_iteration(event, &store->last_iteration);
        r = image_compose(view.data, view.len, base->image, &piece, &made, &made_len, &fault);
        if (r == 1) {
                *ret_why = strdup(fault.text);
                return *ret_why ? COMPOSED_REFUSED : -ENOMEM;
        }
        return r == 0 ? keep(store, made, made_len, ret) : r;
}

int composed_check(const struct image_copy *base, uint32_t address, size_t len, char **ret_why)
{
        _cleanup_(view_done) struct view view = { 0 };
        struct fault fault;
        int r = view_open(base->fd, &view);

        if (r == 0)
                r = image_compose_check(view.data, view.len, base->image, address, len, &fault);
        if (r != 1)
                return r;
        *ret_why = strdup(fault.text);
        return *ret_why ? COMPOSED_REFUSED : -ENOMEM;
}

struct composed *composed_free(struct composed *composed)
{
        composed->store->n--;
        composed->store->bytes -= composed->len;
        close(composed->fd);
        free(composed);
        return NULL;
}
