/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/queue.h"

#include "core/bytes.h"

struct item {
        char *text;
        size_t len;
        bool is_letter;
        uint64_t since_usec;
};

/* A ring. */
struct queue {
        struct item items[QUEUE_ITEMS_MAX];
        size_t first, n, bytes;
};

static const struct item *item_at(const struct queue *q, size_t i)
{
        return &q->items[(q->first + i) % QUEUE_ITEMS_MAX];
}

struct queue *queue_new(void)
{
        return calloc(1, sizeof(struct queue));
}

struct queue *queue_free(struct queue *q)
{
        queue_drop(q, q->n);
        free(q);
        return NULL;
}

int queue_add(struct queue *q, const json_t *item, bool is_letter, uint64_t now_usec)
{
        char *text;
        size_t len;

        if (q->n == QUEUE_ITEMS_MAX || q->bytes >= QUEUE_BYTES_MAX)
                return -ENOBUFS;
        text = json_dumps(item, JSON_COMPACT);
        if (!text)
                return -ENOMEM;
        len = strlen(text);
        q->items[(q->first + q->n) % QUEUE_ITEMS_MAX] = (struct item){ text, len, is_letter, now_usec };
        q->n++;
        q->bytes += len;
        return 0;
}

size_t queue_length(const struct queue *q)
{
        return q->n;
}

uint64_t queue_since(const struct queue *q)
{
        return q->n > 0 ? item_at(q, 0)->since_usec : USEC_INFINITY;
}

static int add_to_array(struct bytes *array, const struct item *item)
{
        int r = bytes_append(array, array->len > 0 ? "," : "[", 1);

        return r == 0 ? bytes_append(array, item->text, item->len) : r;
}

static int end_array(struct bytes *array)
{
        return array->len > 0 ? bytes_append(array, "]", sizeof("]"))
                              : bytes_append(array, "[]", sizeof("[]"));
}

int queue_batch(const struct queue *q, size_t max, char **ret_messages, char **ret_letters)
{
        _cleanup_(bytes_done) struct bytes messages = { 0 };
        _cleanup_(bytes_done) struct bytes letters = { 0 };
        size_t n = 0;
        int r = 0;

        for (; r == 0 && n < MIN(q->n, max) && messages.len + letters.len < QUEUE_BATCH_BYTES; n++) {
                const struct item *item = item_at(q, n);

                r = add_to_array(item->is_letter ? &letters : &messages, item);
        }
        if (r == 0)
                r = end_array(&messages);
        if (r == 0)
                r = end_array(&letters);
        if (r < 0)
                return r;
        *ret_messages = (char *)take_ptr(messages.data);
        *ret_letters = (char *)take_ptr(letters.data);
        return (int)n;
}

void queue_drop(struct queue *q, size_t n)
{
        for (n = MIN(n, q->n); n > 0; n--) {
                struct item *item = &q->items[q->first];

                q->bytes -= item->len;
                free(item->text);
                *item = (struct item){ 0 };
                q->first = (q->first + 1) % QUEUE_ITEMS_MAX;
                q->n--;
        }
}
