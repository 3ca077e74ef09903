/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/slots.h"

#include <stdio.h>

#include "fleet/topics.h"

#define PHASE_SIZE 24

struct entry {
        char name[TOPIC_NAME_MAX + 1];
        char phase[PHASE_SIZE];
        char *text;         /* NULL: it is no more */
        uint64_t last_usec; /* when it was published; 0: not yet */
        bool waits;         /* to be published … */
        bool urgent;        /* … at once */
        bool unseen;        /* in a whole status that is being put */
};

struct slots {
        struct entry *entries;
        size_t n, allocated;
        size_t turn; /* where to look first: none waits for ever behind busier ones */
};

struct slots *slots_new(void)
{
        return calloc(1, sizeof(struct slots));
}

struct slots *slots_free(struct slots *s)
{
        for (size_t i = 0; i < s->n; i++)
                free(s->entries[i].text);
        free(s->entries);
        free(s);
        return NULL;
}

static struct entry *find(const struct slots *s, const char *name)
{
        for (size_t i = 0; i < s->n; i++)
                if (streq(s->entries[i].name, name))
                        return &s->entries[i];
        return NULL;
}

static int add(struct slots *s, const char *name, struct entry **ret)
{
        struct entry *entry;

        if (s->n == SLOTS_MAX || strlen(name) > TOPIC_NAME_MAX || !*name)
                return -ENOBUFS;
        if (s->n == s->allocated) {
                size_t allocated = MAX(s->allocated * 2, (size_t)16);
                struct entry *entries = reallocarray(s->entries, allocated, sizeof(*entries));

                if (!entries)
                        return -ENOMEM;
                s->entries = entries;
                s->allocated = allocated;
        }
        entry = &s->entries[s->n++];
        *entry = (struct entry){ 0 };
        memcpy(entry->name, name, strlen(name) + 1);
        *ret = entry;
        return 0;
}

int slots_put(struct slots *s, const char *name, const char *phase, char *text)
{
        _cleanup_(freep) char *owned = text;
        struct entry *entry = find(s, name);
        int r;

        if (!entry && (r = add(s, name, &entry)) < 0)
                return r;
        entry->urgent |= !entry->text || strncmp(entry->phase, phase, PHASE_SIZE - 1) != 0;
        snprintf(entry->phase, sizeof(entry->phase), "%s", phase);
        free(entry->text);
        entry->text = take_ptr(owned);
        entry->waits = true;
        entry->unseen = false;
        return 0;
}

int slots_gone(struct slots *s, const char *name)
{
        struct entry *entry = find(s, name);
        int r;

        if (!entry && (r = add(s, name, &entry)) < 0)
                return r;
        free(take_ptr(entry->text));
        entry->waits = entry->urgent = true;
        entry->unseen = false;
        return 0;
}

void slots_begin_whole(struct slots *s)
{
        for (size_t i = 0; i < s->n; i++)
                s->entries[i].unseen = true;
}

void slots_end_whole(struct slots *s)
{
        for (size_t i = 0; i < s->n; i++)
                if (s->entries[i].unseen && s->entries[i].text) {
                        free(take_ptr(s->entries[i].text));
                        s->entries[i].waits = s->entries[i].urgent = true;
                }
}

void slots_forget_published(struct slots *s)
{
        for (size_t i = 0; i < s->n; i++)
                s->entries[i].waits = s->entries[i].urgent = true;
}

static uint64_t due(const struct entry *entry)
{
        if (!entry->waits)
                return USEC_INFINITY;
        return entry->urgent ? 0 : entry->last_usec + SLOTS_PROGRESS_USEC;
}

/* An entry that was told to be no more is let go with the next look. */
static void let_go(struct slots *s)
{
        for (size_t i = s->n; i-- > 0;)
                if (!s->entries[i].text && !s->entries[i].waits)
                        s->entries[i] = s->entries[--s->n];
}

bool slots_next(struct slots *s, uint64_t now_usec, const char **ret_name, const char **ret_text)
{
        let_go(s);
        for (size_t i = 0; i < s->n; i++) {
                struct entry *entry = &s->entries[(s->turn + i) % s->n];

                if (due(entry) > now_usec)
                        continue;
                s->turn = (s->turn + i + 1) % s->n;
                entry->waits = entry->urgent = false;
                entry->last_usec = now_usec;
                *ret_name = entry->name;
                *ret_text = entry->text;
                return true;
        }
        return false;
}

uint64_t slots_due(const struct slots *s)
{
        uint64_t earliest = USEC_INFINITY;

        for (size_t i = 0; i < s->n; i++)
                earliest = MIN(earliest, due(&s->entries[i]));
        return earliest;
}

size_t slots_n(const struct slots *s)
{
        size_t n = 0;

        for (size_t i = 0; i < s->n; i++)
                n += s->entries[i].text != NULL;
        return n;
}

bool slots_has(const struct slots *s, const char *name)
{
        const struct entry *entry = find(s, name);

        return entry && entry->text;
}
