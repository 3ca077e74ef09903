/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "web/view.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct view_slot {
        json_t *told;
        uint64_t changed; /* the generation */
};

struct view_reader {
        struct view *view;
        int event; /* readable: there is news */
        uint64_t seen;
        struct view_reader *next;
};

struct view {
        pthread_mutex_t lock; /* of all that follows */
        struct view_reader *readers;
        uint64_t generation;
        uint64_t whole;             /* who has not seen this generation is told everything */
        json_t *station, *policies; /* NULL: never told */
        struct view_slot *slots;
        size_t n_slots;
        char *why_down; /* NULL: the daemon is heard */
        bool ended;
};

int view_new(struct view **ret)
{
        _cleanup_(view_freep) struct view *v = calloc(1, sizeof(*v));

        if (!v)
                return -ENOMEM;
        pthread_mutex_init(&v->lock, NULL);
        v->generation = v->whole = 1;
        v->why_down = strdup("not connected to espdfud yet");
        if (!v->why_down)
                return -ENOMEM;
        *ret = take_ptr(v);
        return 0;
}

static void forget_slots(struct view *v)
{
        for (size_t i = 0; i < v->n_slots; i++)
                json_decref(v->slots[i].told);
        free(take_ptr(v->slots));
        v->n_slots = 0;
}

struct view *view_free(struct view *v)
{
        if (!v)
                return NULL;
        forget_slots(v);
        json_decref(v->station);
        json_decref(v->policies);
        free(v->why_down);
        pthread_mutex_destroy(&v->lock);
        free(v);
        return NULL;
}

/* ---- written ---- */

/* With the lock. */
static void tell_readers(struct view *v)
{
        v->generation++;
        for (struct view_reader *r = v->readers; r; r = r->next)
                (void)eventfd_write(r->event, 1);
}

static bool is_named(const json_t *object, const char *key)
{
        return json_is_string(json_object_get(object, key));
}

static bool is_status(const json_t *parameters)
{
        const json_t *slots = json_object_get(parameters, "slots"), *slot;
        size_t i;

        if (!is_named(json_object_get(parameters, "station"), "name") || !json_is_array(slots) ||
            json_array_size(slots) > VIEW_SLOTS_MAX)
                return false;
        json_array_foreach(slots, i,
                           slot) if (!is_named(slot, "slot") || !is_named(slot, "phase")) return false;
        return true;
}

static struct view_slot *find_slot(struct view *v, const char *name)
{
        for (size_t i = 0; i < v->n_slots; i++)
                if (streq(json_string_value(json_object_get(v->slots[i].told, "slot")), name))
                        return &v->slots[i];
        return NULL;
}

static int put_slot(struct view *v, json_t *told)
{
        struct view_slot *slot = find_slot(v, json_string_value(json_object_get(told, "slot")));

        if (!slot) {
                if (v->n_slots >= VIEW_SLOTS_MAX)
                        return -EPROTO;
                slot = realloc(v->slots, (v->n_slots + 1) * sizeof(*slot));
                if (!slot)
                        return -ENOMEM;
                v->slots = slot;
                slot += v->n_slots++;
                slot->told = NULL;
        }
        json_decref(slot->told);
        *slot = (struct view_slot){ json_incref(told), v->generation + 1 };
        return 0;
}

static void remove_slot(struct view *v, const char *name)
{
        struct view_slot *slot = name ? find_slot(v, name) : NULL;

        if (!slot)
                return;
        json_decref(slot->told);
        memmove(slot, slot + 1, (size_t)(v->slots + --v->n_slots - slot) * sizeof(*slot));
        v->whole = v->generation + 1;
}

static void replace(json_t **p, json_t *by)
{
        json_decref(*p);
        *p = json_incref(by);
}

static int apply(struct view *v, json_t *parameters)
{
        json_t *item, *policies = json_object_get(parameters, "policies");
        size_t i;
        int r = 0;

        if (json_is_true(json_object_get(parameters, "whole"))) {
                forget_slots(v);
                v->whole = v->generation + 1;
        }
        replace(&v->station, json_object_get(parameters, "station"));
        if (json_is_array(policies))
                replace(&v->policies, policies);
        json_array_foreach(json_object_get(parameters, "gone"), i, item)
                remove_slot(v, json_string_value(item));
        json_array_foreach(json_object_get(parameters, "slots"), i, item) if (r == 0) r = put_slot(v, item);
        return r;
}

int view_apply(struct view *v, json_t *parameters)
{
        int r;

        if (!is_status(parameters))
                return -EPROTO;
        pthread_mutex_lock(&v->lock);
        r = apply(v, parameters);
        tell_readers(v);
        pthread_mutex_unlock(&v->lock);
        return r;
}

int view_apply_header(struct view *v, json_t *parameters)
{
        json_t *policies = json_object_get(parameters, "policies");

        if (!is_status(parameters))
                return -EPROTO;
        pthread_mutex_lock(&v->lock);
        replace(&v->station, json_object_get(parameters, "station"));
        if (json_is_array(policies) && !(v->policies && json_equal(policies, v->policies))) {
                replace(&v->policies, policies);
                v->whole = v->generation + 1;
        }
        tell_readers(v);
        pthread_mutex_unlock(&v->lock);
        return 0;
}

bool view_set_link(struct view *v, const char *why_down)
{
        bool changed;

        pthread_mutex_lock(&v->lock);
        changed = !streq_ptr(v->why_down, why_down);
        if (changed && free_and_strdup(&v->why_down, why_down) == 0)
                tell_readers(v);
        pthread_mutex_unlock(&v->lock);
        return changed;
}

void view_end(struct view *v)
{
        pthread_mutex_lock(&v->lock);
        v->ended = true;
        tell_readers(v);
        pthread_mutex_unlock(&v->lock);
}

/* ---- read ---- */

int view_reader_new(struct view *v, struct view_reader **ret)
{
        struct view_reader *r = calloc(1, sizeof(*r));

        if (!r)
                return -ENOMEM;
        r->view = v;
        r->event = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
        if (r->event < 0) {
                free(r);
                return -errno;
        }
        pthread_mutex_lock(&v->lock);
        r->next = v->readers;
        v->readers = r;
        pthread_mutex_unlock(&v->lock);
        *ret = r;
        return 0;
}

struct view_reader *view_reader_free(struct view_reader *reader)
{
        struct view *v = reader->view;

        pthread_mutex_lock(&v->lock);
        for (struct view_reader **p = &v->readers; *p; p = &(*p)->next)
                if (*p == reader) {
                        *p = reader->next;
                        break;
                }
        pthread_mutex_unlock(&v->lock);
        close(reader->event);
        free(reader);
        return NULL;
}

/* With the lock: {"link", "station", "slots", "policies", "whole"}; docs/espdfu-web.8 has them. */
static char *write_news(const struct view *v, uint64_t seen)
{
        bool whole = seen < v->whole;
        json_t *slots = json_array(), *news;
        char *text = NULL;

        for (size_t i = 0; slots && i < v->n_slots; i++)
                if ((whole || v->slots[i].changed > seen) && json_array_append(slots, v->slots[i].told) < 0) {
                        json_decref(slots);
                        slots = NULL;
                }
        news = slots ? json_pack("{s:{s:b, s:s?}, s:O?, s:o, s:O?, s:b}", "link", "up", !v->why_down, "why",
                                 v->why_down, "station", v->station, "slots", slots, "policies",
                                 whole ? v->policies : NULL, "whole", whole)
                     : NULL;
        if (news)
                text = json_dumps(news, JSON_COMPACT);
        json_decref(news);
        return text;
}

static int take_news(struct view_reader *reader, char **ret)
{
        struct view *v = reader->view;
        eventfd_t count;
        int r = 0;

        pthread_mutex_lock(&v->lock);
        (void)eventfd_read(reader->event, &count);
        if (v->ended) {
                r = VIEW_ENDED;
        } else {
                *ret = write_news(v, reader->seen);
                reader->seen = v->generation;
                r = *ret ? 0 : -ENOMEM;
        }
        pthread_mutex_unlock(&v->lock);
        return r;
}

int view_next(struct view_reader *reader, int socket, uint64_t timeout_usec, char **ret)
{
        struct pollfd fds[] = { { .fd = reader->event, .events = POLLIN },
                                { .fd = socket, .events = POLLRDHUP } };
        int r = poll(fds, ARRAY_SIZE(fds), (int)(timeout_usec / USEC_PER_MSEC));

        if (r < 0)
                return errno == EINTR ? VIEW_NO_NEWS : -errno;
        if (fds[1].revents)
                return VIEW_LEFT;
        return r == 0 ? VIEW_NO_NEWS : take_news(reader, ret);
}
