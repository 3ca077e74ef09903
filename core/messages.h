/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parameters of io.espdfu.Station1, as structs and as JSON. The daemon goes one way, the client the other.
 *
 * _to_json: a new object, or NULL when out of memory.
 * _from_json: 0; -EPROTO if a type is wrong or what must be there is not; -ENOMEM. Names that are not known are ignored.
 * Source: docs/io.espdfu.Station1.varlink.
 */
#pragma once

#include <jansson.h>

#include "core/consumer.h"
#include "core/counters.h"
#include "core/stats.h"
#include "core/status.h"

#define STATION_INTERFACE "io.espdfu.Station1"

json_t *status_update_to_json(const struct status_update *update);
/* A whole reply of `Status`, with its NUL: what varlink_reply_encode() makes of the above, at a tenth of the cost.
 * Returns 0 or -ENOMEM; *ret is to be freed. */
int status_update_to_reply(const struct status_update *update, bool continues, char **ret, size_t *ret_size);
int status_update_from_json(const json_t *parameters, struct status_update *ret);

/* Of a `Station`, of a `Slot`: the first field that is not understood, borrowed, "" where it is no object; NULL: all are. */
const char *station_fault(const json_t *station);
const char *slot_fault(const json_t *slot);

/* Cancel's reply. */
json_t *slot_reply_to_json(const struct slot_status *slot);
int slot_reply_from_json(const json_t *parameters, struct slot_status *ret);

json_t *explanations_to_json(const struct explanation *explanations, size_t n);
int explanations_from_json(const json_t *parameters, struct explanation **ret, size_t *ret_n);
void explanations_free(struct explanation *explanations, size_t n);

json_t *attempts_to_json(const struct attempt_record *attempts, size_t n);
int attempts_from_json(const json_t *parameters, struct attempt_record **ret, size_t *ret_n);
void attempts_free(struct attempt_record *attempts, size_t n);
/* The names of an attempt's fields, in the ledger's order; NULL after the last. */
const char *attempt_field(size_t index);

json_t *station_stats_to_json(const struct station_stats *stats);
int station_stats_from_json(const json_t *parameters, struct station_stats *ret);

json_t *station_counters_to_json(const struct station_counters *counters);
int station_counters_from_json(const json_t *parameters, struct station_counters *ret);

json_t *consumers_to_json(const struct consumer_status *consumers, size_t n);
int consumers_from_json(const json_t *parameters, struct consumer_status **ret, size_t *ret_n);

/* Reload's reply, or ReloadRefused's parameters when there are errors; reading takes either. */
json_t *reload_result_to_json(const struct reload_result *result);
int reload_result_from_json(const json_t *parameters, struct reload_result *ret);
