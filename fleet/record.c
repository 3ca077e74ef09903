/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "core/hex.h"
#include "core/refusal.h"
#include "core/text.h"
#include "fleet/delivered.h"
#include "fleet/topics.h"

#define RECORD_TEXT_MAX  4096
#define RECORD_TIME_MAX  UINT64_C(253402300799999999) /* the end of the year 9999 */
#define RECORD_TOPIC_MAX 1024

enum kind { TEXT, TEXT_OR_NULL, NUMBER, NUMBER_OR_NULL, SMALL_NUMBER, BOOLEAN, TIME };

/* A field of the payload, and the column that it is in. */
static const struct column {
        const char *field;
        enum kind kind;
        const char *column; /* NULL: as the field */
} columns[] = {
        { "id", NUMBER },
        { "sequence", NUMBER },
        { "job", TEXT },
        { "attempt", SMALL_NUMBER },
        { "slot", TEXT },
        { "port", TEXT_OR_NULL },
        { "path", TEXT_OR_NULL },
        { "chip", TEXT_OR_NULL },
        { "mac", TEXT_OR_NULL },
        { "policy", TEXT_OR_NULL },
        { "image_path", TEXT_OR_NULL },
        { "image_name", TEXT_OR_NULL },
        { "image_version", TEXT_OR_NULL },
        { "image_sha256", TEXT_OR_NULL },
        { "boot_id", TEXT_OR_NULL },
        { "clock_synchronized", BOOLEAN },
        { "start_realtime_usec", TIME, "start_time" },
        { "end_realtime_usec", TIME, "end_time" },
        { "duration_usec", NUMBER },
        { "bytes", NUMBER },
        { "transfers", NUMBER },
        { "verdict", TEXT },
        { "final", BOOLEAN },
        { "message", TEXT_OR_NULL },
        { "engine_message", TEXT_OR_NULL },
        { "detaching_usec", NUMBER_OR_NULL },
        { "away_usec", NUMBER_OR_NULL },
        { "downloading_usec", NUMBER_OR_NULL },
        { "verifying_usec", NUMBER_OR_NULL },
        { "dfu_status", TEXT_OR_NULL },
        { "dfu_state", TEXT_OR_NULL },
        { "station", TEXT_OR_NULL },
        { "data_file", TEXT_OR_NULL },
        { "station_id", TEXT },
        { "previous", NUMBER },
};

const char *record_field(size_t index)
{
        return index < ARRAY_SIZE(columns) ? columns[index].field : NULL;
}

/* What a value must be, for messages; NULL: it is. */
static const char *fault_of(enum kind kind, const json_t *value)
{
        bool is_nothing = !value || json_is_null(value);
        bool is_number = json_is_integer(value) && json_integer_value(value) >= 0;
        bool is_text = json_is_string(value) && json_string_length(value) <= RECORD_TEXT_MAX;

        switch (kind) {
        case TEXT:
                return is_text ? NULL : "expected a text of at most 4096 bytes";
        case TEXT_OR_NULL:
                return is_nothing || is_text ? NULL : "expected a text of at most 4096 bytes, or null";
        case NUMBER:
                return is_number ? NULL : "expected a number from 0 on";
        case NUMBER_OR_NULL:
                return is_nothing || is_number ? NULL : "expected a number from 0 on, or null";
        case SMALL_NUMBER:
                return is_number && json_integer_value(value) <= INT32_MAX ? NULL
                                                                           : "expected a number below 2^31";
        case BOOLEAN:
                return json_is_boolean(value) ? NULL : "expected true or false";
        case TIME:
                return is_number && (uint64_t)json_integer_value(value) <= RECORD_TIME_MAX
                               ? NULL
                               : "expected microseconds since 1970, before the year 10000";
        }
        return NULL;
}

/* "2026-11-27T09:41:00.123456Z": to the microsecond, which a floating-point number would not have. */
static json_t *time_to_json(uint64_t realtime_usec)
{
        time_t seconds = (time_t)(realtime_usec / USEC_PER_SEC);
        char date[32], text[64];
        struct tm tm;

        if (!gmtime_r(&seconds, &tm) || strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
                return NULL;
        snprintf(text, sizeof(text), "%s.%06uZ", date, (unsigned)(realtime_usec % USEC_PER_SEC));
        return json_string(text);
}

static int refuse_field(char **ret_why, const char *name, const json_t *value, const char *fault)
{
        return refuse(ret_why, "%s%s: %s", name, value ? "" : " is missing", fault);
}

/* 0; RECORD_LETTER with what is wrong; -ENOMEM. */
static int add_column(json_t *row, const struct column *column, json_t *fields, char **ret_why)
{
        json_t *value = json_object_get(fields, column->field);
        const char *fault = fault_of(column->kind, value);
        const char *name = column->column ? column->column : column->field;

        if (fault)
                return refuse_field(ret_why, column->field, value, fault);
        if (!value || json_is_null(value))
                return 0;
        value = column->kind == TIME ? time_to_json((uint64_t)json_integer_value(value)) : json_incref(value);
        return json_object_set_new(row, name, value) == 0 ? 0 : -ENOMEM;
}

/* What a newer station tells and no column has is kept beside the columns. */
static int add_unknown(json_t *row, json_t *fields)
{
        json_t *unknown = json_copy(fields);
        int r = unknown ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(columns); i++)
                json_object_del(unknown, columns[i].field);
        if (r == 0 && json_object_size(unknown) > 0)
                r = json_object_set(row, "unknown", unknown) == 0 ? 0 : -ENOMEM;
        json_decref(unknown);
        return r;
}

/* The columns of a record. 0 with a new object; RECORD_LETTER with the reason; -ENOMEM. */
static int read_fields(json_t *fields, json_t **ret, char **ret_why)
{
        json_t *row = json_object();
        int r = row ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(columns); i++)
                r = add_column(row, &columns[i], fields, ret_why);
        if (r == 0 && streq(json_string_value(json_object_get(row, "verdict")), "none"))
                r = refuse(ret_why, "verdict: none: expected a record that has ended");
        if (r == 0)
                r = add_unknown(row, fields);
        if (r != 0) {
                json_decref(row);
                return r;
        }
        *ret = row;
        return 0;
}

/* Where a record belongs among its station's. Of what cannot be read otherwise this much may be legible. 0, or RECORD_LETTER with
 * the reason, where there is a place for it; -ENOMEM. */
static int check_place(json_t *fields, char **ret_why)
{
        json_t *id = json_object_get(fields, "station_id");
        json_t *sequence = json_object_get(fields, "sequence");
        json_t *previous = json_object_get(fields, "previous");

        if (!json_is_string(id) || !station_id_is_valid(json_string_value(id)))
                return refuse_field(ret_why, "station_id", id,
                                    "expected 32 hexadecimal digits in lower case");
        if (!json_is_integer(sequence) || json_integer_value(sequence) < 1)
                return refuse_field(ret_why, "sequence", sequence, "expected a number from 1 on");
        if (!json_is_integer(previous) || json_integer_value(previous) < 0 ||
            json_integer_value(previous) >= json_integer_value(sequence))
                return refuse_field(ret_why, "previous", previous,
                                    "expected a number from 0 on, below sequence");
        return 0;
}

static int set_place(json_t *item, json_t *fields)
{
        static const char *const names[] = { "station_id", "sequence", "previous" };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (json_object_set(item, names[i], json_object_get(fields, names[i])) < 0)
                        return -ENOMEM;
        return 0;
}

static int refuse_syntax(char **ret_why, const json_error_t *error, size_t size)
{
        static const struct {
                enum json_error_code code;
                const char *text;
        } table[] = {
                { json_error_premature_end_of_input, "it ends too early: expected one JSON object" },
                { json_error_end_of_input_expected, "there is more behind it: expected one JSON object" },
                { json_error_duplicate_key, "a field comes twice: expected each once" },
                { json_error_invalid_utf8, "it is no UTF-8: expected one JSON object" },
                { json_error_null_character, "a text has \\u0000: expected none in a record" },
                { json_error_null_byte_in_key, "a field's name has \\u0000: expected none in a record" },
                { json_error_numeric_overflow,
                  "a number is too large: expected at most 9223372036854775807" },
                { json_error_stack_overflow, "it is nested too deep: expected one JSON object" },
        };
        const char *text = "it is no JSON: expected one JSON object";

        /* A NUL counts as an end. */
        if (json_error_code(error) == json_error_premature_end_of_input && (size_t)error->position < size)
                return refuse(ret_why, "byte %d: %s", error->position, text);
        for (size_t i = 0; i < ARRAY_SIZE(table); i++)
                if (json_error_code(error) == table[i].code)
                        text = table[i].text;
        return refuse(ret_why, "byte %d: %s", error->position, text);
}

/* 0 with the payload's object; RECORD_LETTER with the reason; -ENOMEM. */
static int parse(const void *payload, size_t size, json_t **ret, char **ret_why)
{
        json_error_t error;
        json_t *fields;

        if (size > RECORD_PAYLOAD_MAX)
                return refuse(ret_why, "%zu bytes: expected at most %u", size, (unsigned)RECORD_PAYLOAD_MAX);
        if (size == 0)
                return refuse(ret_why, "it is empty: expected one JSON object");
        fields = json_loadb(payload, size, JSON_REJECT_DUPLICATES, &error);
        if (!fields)
                return refuse_syntax(ret_why, &error, size);
        if (!json_is_object(fields)) {
                json_decref(fields);
                return refuse(ret_why, "it is another JSON value: expected one JSON object");
        }
        *ret = fields;
        return 0;
}

/* 0, or RECORD_LETTER with the reason: the topic is not one that records of this version come on. */
static int check_topic(const char *text, struct topic *topic, char **ret_why)
{
        switch (topic_parse(text, topic)) {
        case 0:
                if (topic->kind == TOPIC_JOB)
                        return 0;
                break;
        case TOPIC_OTHER_VERSION:
                return refuse(ret_why, "another version of the topics: expected espdfu/" TOPIC_VERSION "/");
        default:
                break;
        }
        return refuse(ret_why, "expected the topic espdfu/" TOPIC_VERSION "/STATION/job");
}

/* The payload as it came: as text where it is JSON, else as hexadecimal digits. */
static json_t *payload_to_json(const void *payload, size_t size, bool is_text)
{
        _cleanup_(freep) char *digits = NULL;

        if (is_text)
                return json_stringn(payload, size);
        size = MIN(size, (size_t)RECORD_PAYLOAD_MAX);
        digits = malloc(2 * size + 1);
        if (!digits)
                return NULL;
        hex_encode(payload, size, digits);
        return json_string(digits);
}

/* What came, as far as it was understood. */
struct arrival {
        const char *topic;
        const void *payload;
        size_t size;
        const char *station; /* NULL: the topic does not say */
        json_t *fields;      /* NULL: the payload is no object */
        bool has_place;      /* they say where it belongs */
        json_t *row;         /* NULL: it is no record, and why is the reason */
        const char *why;
};

static int arrival_to_json(const struct arrival *a, json_t **ret)
{
        _cleanup_(freep) char *topic = text_to_utf8(a->topic, RECORD_TOPIC_MAX);
        json_t *item = topic ? json_pack("{s:s}", "topic", topic) : NULL;
        int r = item ? 0 : -ENOMEM;

        if (r == 0 && json_object_set_new(item, a->fields ? "payload" : "bytes",
                                          payload_to_json(a->payload, a->size, a->fields)) < 0)
                r = -ENOMEM;
        /* Another version's topic says nothing of ours, whatever its payload looks like. */
        if (r == 0 && a->station && a->has_place)
                r = set_place(item, a->fields);
        if (r == 0 && a->station && json_object_set_new(item, "name", json_string(a->station)) < 0)
                r = -ENOMEM;
        if (r == 0 && (a->row ? json_object_set(item, "record", a->row)
                              : json_object_set_new(item, "why", json_string(a->why))) < 0)
                r = -ENOMEM;
        if (r < 0) {
                json_decref(item);
                return r;
        }
        *ret = item;
        return 0;
}

int record_read(const char *topic, const void *payload, size_t size, json_t **ret)
{
        _cleanup_(freep) char *why = NULL;
        struct arrival arrival = { .topic = topic, .payload = payload, .size = size };
        struct topic at;
        int letter = check_topic(topic, &at, &why), r;

        if (letter == 0) {
                arrival.station = at.station;
                letter = parse(payload, size, &arrival.fields, &why);
        }
        if (letter == 0) {
                letter = check_place(arrival.fields, &why);
                arrival.has_place = letter == 0;
        }
        if (letter == 0)
                letter = read_fields(arrival.fields, &arrival.row, &why);
        arrival.why = why;
        r = letter < 0 ? letter : arrival_to_json(&arrival, ret);
        json_decref(arrival.fields);
        json_decref(arrival.row);
        return r < 0 ? r : letter;
}
