/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a client reads of the socket, from an espdfud that may be another machine's: any JSON object, read as each kind of
 * message that there is. What was read is written as something that reads the same.
 */
#include "core/attempt-csv.h"
#include "core/messages.h"
#include "core/varlink.h"
#include "tests/fuzz/fuzz.h"

/* Reads parameters as one kind of message, and writes that; NULL: it is none. */
typedef json_t *(*through)(const json_t *parameters);

static json_t *must_write(json_t *written)
{
        must(written);
        return written;
}

/* The printed message is the one that the tree of JSON gives. */
static void check_printed(const struct status_update *update, json_t *written)
{
        _cleanup_(freep) char *printed = NULL, *encoded = NULL;
        size_t printed_size, encoded_size;
        json_t *one, *other;

        must(status_update_to_reply(update, true, &printed, &printed_size) == 0);
        must(varlink_reply_encode(NULL, json_incref(written), true, &encoded, &encoded_size) == 0);
        one = json_loadb(printed, printed_size - 1, 0, NULL);
        other = json_loadb(encoded, encoded_size - 1, 0, NULL);
        must(one && other && json_equal(one, other));
        json_decref(one);
        json_decref(other);
}

static json_t *through_status(const json_t *parameters)
{
        struct status_update update;
        json_t *written;

        if (status_update_from_json(parameters, &update) < 0)
                return NULL;
        written = must_write(status_update_to_json(&update));
        check_printed(&update, written);
        status_update_done(&update);
        return written;
}

static json_t *through_slot(const json_t *parameters)
{
        struct slot_status slot;
        json_t *written;

        if (slot_reply_from_json(parameters, &slot) < 0)
                return NULL;
        written = must_write(slot_reply_to_json(&slot));
        slot_status_done(&slot);
        return written;
}

static json_t *through_explanations(const json_t *parameters)
{
        struct explanation *explanations;
        json_t *written;
        size_t n;

        if (explanations_from_json(parameters, &explanations, &n) < 0)
                return NULL;
        written = must_write(explanations_to_json(explanations, n));
        explanations_free(explanations, n);
        return written;
}

static void check_csv(const json_t *attempts)
{
        size_t commas = 0;

        while (attempt_field(commas + 1))
                commas++;
        for (size_t i = 0; i < json_array_size(attempts); i++) {
                _cleanup_(bytes_done) struct bytes line = { 0 };
                bool quoted = false;
                size_t found = 0;

                must(attempt_to_csv(&line, json_array_get(attempts, i)) == 0);
                for (size_t j = 0; j < line.len; j++) {
                        quoted ^= line.data[j] == '"';
                        found += !quoted && line.data[j] == ',';
                }
                must(found == commas && !quoted && line.data[line.len - 1] == '\n');
        }
}

static json_t *through_attempts(const json_t *parameters)
{
        struct attempt_record *attempts;
        json_t *written;
        size_t n;

        if (attempts_from_json(parameters, &attempts, &n) < 0)
                return NULL;
        written = must_write(attempts_to_json(attempts, n));
        check_csv(json_object_get(written, "attempts"));
        attempts_free(attempts, n);
        return written;
}

static json_t *through_stats(const json_t *parameters)
{
        struct station_stats stats;
        json_t *written;

        if (station_stats_from_json(parameters, &stats) < 0)
                return NULL;
        written = must_write(station_stats_to_json(&stats));
        station_stats_done(&stats);
        return written;
}

static json_t *through_counters(const json_t *parameters)
{
        struct station_counters counters;
        json_t *written;

        if (station_counters_from_json(parameters, &counters) < 0)
                return NULL;
        written = must_write(station_counters_to_json(&counters));
        station_counters_done(&counters);
        return written;
}

static json_t *through_consumers(const json_t *parameters)
{
        struct consumer_status *consumers;
        json_t *written;
        size_t n;

        if (consumers_from_json(parameters, &consumers, &n) < 0)
                return NULL;
        written = must_write(consumers_to_json(consumers, n));
        consumers_free(consumers, n);
        return written;
}

static json_t *through_reload(const json_t *parameters)
{
        struct reload_result result;
        json_t *written;

        if (reload_result_from_json(parameters, &result) < 0)
                return NULL;
        written = must_write(reload_result_to_json(&result));
        reload_result_done(&result);
        return written;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const through kinds[] = {
                through_status, through_slot,     through_explanations, through_attempts,
                through_stats,  through_counters, through_consumers,    through_reload,
        };
        json_t *parameters = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);

        for (size_t i = 0; json_is_object(parameters) && i < ARRAY_SIZE(kinds); i++) {
                json_t *written = kinds[i](parameters), *again;

                if (!written)
                        continue;
                again = kinds[i](written);
                must(again && json_equal(again, written));
                json_decref(again);
                json_decref(written);
        }
        json_decref(parameters);
        return 0;
}
