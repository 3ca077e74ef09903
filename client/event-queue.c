/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/event-queue.h"

#include "client/event.h"

static json_t *take(struct event_queue *queue, size_t i)
{
        json_t *event = queue->list[i];

        memmove(&queue->list[i], &queue->list[i + 1], (--queue->n - i) * sizeof(json_t *));
        return event;
}

void event_queue_done(struct event_queue *queue)
{
        while (queue->n > 0)
                json_decref(take(queue, queue->n - 1));
}

json_t *event_queue_pop(struct event_queue *queue)
{
        return queue->n > 0 ? take(queue, 0) : NULL;
}

static void drop(struct event_queue *queue, json_t *event)
{
        queue->dropped++;
        if (event_kind_of(event) == EVENT_VERDICT)
                queue->dropped_verdicts++;
        json_decref(event);
}

bool event_queue_push(struct event_queue *queue, json_t *event)
{
        size_t i = 0;

        if (queue->n < EVENT_QUEUE_MAX) {
                queue->list[queue->n++] = event;
                return true;
        }
        while (i < queue->n && event_kind_of(queue->list[i]) == EVENT_VERDICT)
                i++;
        if (i == queue->n && event_kind_of(event) != EVENT_VERDICT) {
                drop(queue, event);
                return false;
        }
        drop(queue, take(queue, i == queue->n ? 0 : i));
        queue->list[queue->n++] = event;
        return false;
}
