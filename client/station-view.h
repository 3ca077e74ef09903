/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The station as its daemon tells it, for verbs that work without one too: that there is none is a fact here, no error. */
#pragma once

#include "core/doctor.h"

struct station_view {
        enum doctor_daemon daemon;
        char *fault;                 /* why there is no answer, one line; NULL: there is one */
        struct status_update update; /* with an answer alone */
};

/* 0 or -ENOMEM. */
int station_look(struct station_view *ret);
void station_view_done(struct station_view *view);
/* The slot of that name, port path or ID_PATH, or NULL. Borrowed. */
const struct slot_status *station_view_slot(const struct station_view *view, const char *where);
/* The slot that a device is in, or NULL. Borrowed. */
const struct slot_status *station_view_slot_of(const struct station_view *view, const struct device *device);
