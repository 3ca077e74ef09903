/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/station-view.h"

#include <stdio.h>

#include "client/client.h"

#define PATIENCE (5 * USEC_PER_SEC)

static int set_fault(struct station_view *view, enum doctor_daemon daemon, const char *why)
{
        view->daemon = daemon;
        return asprintf(&view->fault, "%s: %s", client_socket, why) < 0 ? (view->fault = NULL, -ENOMEM) : 0;
}

static int no_connection(struct station_view *view, int r)
{
        switch (-r) {
        case ENOMEM:
                return r;
        case ENOENT:
        case ECONNREFUSED:
                return set_fault(view, DOCTOR_DAEMON_ABSENT, strerror(-r));
        case EACCES:
        case EPERM:
                return set_fault(view, DOCTOR_DAEMON_REFUSES, strerror(-r));
        default: /* an open set */
                return set_fault(view, DOCTOR_DAEMON_SILENT, strerror(-r));
        }
}

static int no_answer(struct station_view *view, int r)
{
        switch (r) {
        case CONNECTION_TIMED_OUT:
                return set_fault(view, DOCTOR_DAEMON_SILENT, "no answer within 5 s");
        case CONNECTION_CLOSED:
                return set_fault(view, DOCTOR_DAEMON_SILENT, "it hung up without an answer");
        case CONNECTION_NONSENSE:
                return set_fault(view, DOCTOR_DAEMON_SILENT, "what answers is not espdfud");
        default: /* an open set */
                return set_fault(view, DOCTOR_DAEMON_SILENT, r < 0 ? strerror(-r) : "interrupted");
        }
}

static int read_answer(struct station_view *view, const struct varlink_reply *reply)
{
        if (streq_ptr(reply->error, STATION_INTERFACE ".Busy"))
                return set_fault(view, DOCTOR_DAEMON_SILENT, "it takes no more connections");

        int r = reply->error ? -EPROTO : status_update_from_json(reply->parameters, &view->update);

        return r == -EPROTO ? no_answer(view, CONNECTION_NONSENSE) : r;
}

int station_look(struct station_view *ret)
{
        _cleanup_(connection_closep) struct connection *connection = NULL;
        struct varlink_reply reply;
        int r = connection_open(client_socket, PATIENCE, &connection);

        *ret = (struct station_view){ .daemon = DOCTOR_DAEMON_ANSWERS };
        if (r < 0)
                return no_connection(ret, r);
        r = connection_send(connection, STATION_INTERFACE ".Status", NULL, false);
        if (r == 0)
                r = connection_receive(connection, PATIENCE, NULL, &reply);
        if (r != 0)
                return r == -ENOMEM ? r : no_answer(ret, r);
        r = read_answer(ret, &reply);
        varlink_reply_done(&reply);
        return r;
}

void station_view_done(struct station_view *view)
{
        free(view->fault);
        status_update_done(&view->update);
        *view = (struct station_view){ 0 };
}

const struct slot_status *station_view_slot(const struct station_view *view, const char *where)
{
        const struct station_status *station = &view->update.station;

        for (size_t i = 0; where && i < station->n_slots; i++)
                if (streq_ptr(station->slots[i].slot, where) || streq_ptr(station->slots[i].port, where) ||
                    streq_ptr(station->slots[i].path, where))
                        return &station->slots[i];
        return NULL;
}

const struct slot_status *station_view_slot_of(const struct station_view *view, const struct device *device)
{
        const struct station_status *station = &view->update.station;

        for (size_t i = 0; i < station->n_slots; i++)
                if (streq_ptr(station->slots[i].port, device->port) ||
                    (device->path && streq_ptr(station->slots[i].path, device->path)))
                        return &station->slots[i];
        return NULL;
}
