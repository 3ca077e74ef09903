/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A station in Prometheus' text format 0.0.4. Names and units as Prometheus wants them: espdfu_…, seconds and bytes, _total
 * for what only grows. Pure.
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/, "Text-based format".
 */
#pragma once

#include "core/consumer.h"
#include "core/counters.h"

struct exposition {
        const struct station_status
                *station; /* NULL: the daemon is not there; then nothing else is looked at */
        const struct station_counters *counters;
        const struct consumer_status *consumers;
        size_t n_consumers;
};

/* To be freed. 0 or -ENOMEM. */
int exposition_render(const struct exposition *exposition, char **ret);
