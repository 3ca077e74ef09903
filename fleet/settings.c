/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/settings.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/config-values.h"
#include "core/consumer.h"
#include "core/ini-reader.h"
#include "core/printable.h"
#include "fleet/topics.h"
#include "io/file.h"
#include "io/say.h"

struct setting {
        const char *section, *name;
        int (*parse)(const struct setting *setting, const char *value, void *field);
        size_t offset;
        uint64_t min, max;
        const char *expected; /* NULL: a number from min to max */
};

static int parse_number(const struct setting *setting, const char *value, void *field)
{
        uint64_t number = 0;
        int r = value_number(value, setting->min, setting->max, &number);

        if (r == 0)
                *(unsigned *)field = (unsigned)number;
        return r;
}

static int parse_tls(const struct setting *setting, const char *value, void *field)
{
        (void)setting;
        if (!streq(value, "yes") && !streq(value, "no"))
                return -EINVAL;
        *(bool *)field = streq(value, "no");
        return 0;
}

/* max: its length. */
static int parse_text(const struct setting *setting, const char *value, void *field)
{
        return *value && strlen(value) <= setting->max && is_printable(value) ? free_and_strdup(field, value)
                                                                              : -EINVAL;
}

static int parse_host(const struct setting *setting, const char *value, void *field)
{
        return strpbrk(value, " /@") ? -EINVAL : parse_text(setting, value, field);
}

static int parse_level(const struct setting *setting, const char *value, void *field)
{
        return strpbrk(value, "/+#") ? -EINVAL : parse_text(setting, value, field);
}

static int parse_consumer(const struct setting *setting, const char *value, void *field)
{
        return value_is_name(value, setting->max) ? free_and_strdup(field, value) : -EINVAL;
}

static int parse_path(const struct setting *setting, const char *value, void *field)
{
        return value[0] == '/' && value[1] ? parse_text(setting, value, field) : -EINVAL;
}

#define PATH_LONGEST  4095
#define FIELD(member) offsetof(struct settings, member)
#define PATH(section, name, member)                                                                          \
        {                                                                                                    \
                section, name, parse_path, FIELD(member), 0, PATH_LONGEST, "an absolute path"                \
        }
#define NUMBER(section, name, member, min, max)                                                              \
        {                                                                                                    \
                section, name, parse_number, FIELD(member), min, max, NULL                                   \
        }

static const struct setting table[] = {
        { "broker", "host", parse_host, FIELD(broker.host), 0, 253, "the broker's name or address" },
        NUMBER("broker", "port", broker.port, 1, 65535),
        { "broker", "tls", parse_tls, FIELD(broker.no_tls), 0, 0, "yes or no" },
        PATH("broker", "ca-file", broker.ca_file),
        PATH("broker", "certificate", broker.certificate),
        PATH("broker", "key", broker.key),
        { "broker", "user", parse_text, FIELD(broker.user), 0, 255, "a name" },
        PATH("broker", "password-file", broker.password_file),
        NUMBER("broker", "keep-alive", broker.keep_alive_sec, 5, 3600),
        NUMBER("broker", "retry-max", broker.retry_max_sec, 1, 3600),
        { "station", "name", parse_text, FIELD(station.name), 0, TOPIC_NAME_MAX,
          "a name of 1 to 64 bytes, UTF-8 without control characters" },
        PATH("station", "socket", station.socket),
        { "station", "consumer", parse_consumer, FIELD(station.consumer), 0, CONSUMER_NAME_MAX,
          "a name: letters, digits and . _ + : @ -" },
        NUMBER("station", "window", station.window, 1, 4096),
        NUMBER("station", "send-again", station.send_again_sec, 1, 3600),
        { "database", "connection", parse_text, FIELD(database.connection), 0, 1024,
          "what libpq connects with" },
        NUMBER("database", "batch", database.batch, 1, 10000),
        NUMBER("database", "batch-wait", database.batch_wait_msec, 1, 10000),
        { "collector", "group", parse_level, FIELD(collector.group), 0, TOPIC_NAME_MAX,
          "a name of 1 to 64 bytes, without / + #" },
};

_Static_assert(ARRAY_SIZE(table) <= SETTINGS_KEYS_MAX, "a line for each key");

static const struct {
        const char *name;
        unsigned readers;
} sections[] = {
        { "broker", SETTINGS_BRIDGE | SETTINGS_COLLECTOR | SETTINGS_FLEET },
        { "station", SETTINGS_BRIDGE },
        { "database", SETTINGS_COLLECTOR | SETTINGS_FLEET },
        { "collector", SETTINGS_COLLECTOR },
};

struct reading {
        enum settings_reader reader;
        settings_fault_t fault;
        void *userdata;
        const char *section; /* static; NULL: none yet, or one that was refused */
        int r;
        struct settings *settings;
};

static void fault(struct reading *reading, unsigned line, const char *format, ...) _printf_(3, 4);

static void fault(struct reading *reading, unsigned line, const char *format, ...)
{
        char text[512];
        va_list ap;

        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        reading->fault(reading->userdata, line, text);
        if (reading->r == 0)
                reading->r = -EINVAL;
}

static void on_section(void *userdata, unsigned line, const char *text)
{
        struct reading *reading = userdata;

        reading->section = NULL;
        for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
                if (streq(sections[i].name, text) && (sections[i].readers & reading->reader) != 0)
                        reading->section = sections[i].name;
        if (!reading->section)
                fault(reading, line, "[%s] is no section of this file", text);
}

static void take_value(struct reading *reading, unsigned line, size_t i, const char *value)
{
        const struct setting *setting = &table[i];
        int r;

        if (reading->settings->lines[i]) {
                fault(reading, line, "%s: is there already, in line %u", setting->name,
                      reading->settings->lines[i]);
                return;
        }
        reading->settings->lines[i] = line;
        r = setting->parse(setting, value, (char *)reading->settings + setting->offset);
        if (r == -ENOMEM)
                reading->r = r;
        else if (r < 0 && setting->expected)
                fault(reading, line, "%s = %s: expected %s", setting->name, value, setting->expected);
        else if (r < 0)
                fault(reading, line, "%s = %s: expected a number from %u to %u", setting->name, value,
                      (unsigned)setting->min, (unsigned)setting->max);
}

static void on_key(void *userdata, unsigned line, const char *key, const char *value)
{
        struct reading *reading = userdata;

        if (!reading->section) {
                if (reading->r == 0) /* a section that was refused was told of */
                        fault(reading, line, "%s: expected [broker] or another section before it", key);
                return;
        }
        for (size_t i = 0; i < ARRAY_SIZE(table); i++)
                if (streq(table[i].section, reading->section) && streq(table[i].name, key)) {
                        take_value(reading, line, i, value);
                        return;
                }
        fault(reading, line, "%s is no key of [%s]", key, reading->section);
}

static void on_fault(void *userdata, unsigned line, const char *text)
{
        fault(userdata, line, "%s", text);
}

/* What is wrong with the keys together. */
static void check_whole(struct reading *reading)
{
        struct broker_settings *broker = &reading->settings->broker;

        if (!broker->host && reading->reader != SETTINGS_FLEET) /* history asks no broker */
                fault(reading, 0, "host is missing: expected [broker] with host = the broker's name");
        if (reading->reader == SETTINGS_COLLECTOR && !reading->settings->database.connection)
                fault(reading, 0,
                      "connection is missing: expected [database] with connection = what libpq "
                      "connects with");
        if (!broker->certificate != !broker->key)
                fault(reading, 0, "%s without %s: expected both, or none",
                      broker->key ? "key" : "certificate", broker->key ? "certificate" : "key");
        if (!broker->user != !broker->password_file)
                fault(reading, 0, "%s without %s: expected both, or none",
                      broker->user ? "user" : "password-file", broker->user ? "password-file" : "user");
        if (broker->no_tls && (broker->ca_file || broker->certificate))
                fault(reading, 0, "certificates with tls = no: expected tls = yes, or none of them");
}

static void set_defaults(struct settings *settings)
{
        *settings = (struct settings){
                .broker = { .keep_alive_sec = 30, .retry_max_sec = 60 },
                .station = { .window = 256, .send_again_sec = 30 },
                .database = { .batch = 500, .batch_wait_msec = 100 },
        };
}

int settings_parse(const char *text, size_t len, enum settings_reader reader, settings_fault_t fault_function,
                   void *userdata, struct settings *ret)
{
        static const struct ini_events events = { on_section, on_key, on_fault };
        struct reading reading = { reader, fault_function, userdata, .settings = ret };

        set_defaults(ret);
        ini_read(text, len, &events, &reading);
        if (reading.r == 0)
                check_whole(&reading);
        if (ret->broker.port == 0)
                ret->broker.port = ret->broker.no_tls ? 1883 : 8883;
        if (reading.r == 0 && !ret->collector.group)
                reading.r = free_and_strdup(&ret->collector.group, "espdfu");
        if (reading.r == 0 && !ret->station.consumer)
                reading.r = free_and_strdup(&ret->station.consumer, "mqtt");
        if (reading.r < 0)
                settings_done(ret);
        return reading.r;
}

static void say_fault(void *userdata, unsigned line, const char *text)
{
        const char *path = userdata;

        if (line > 0)
                say_line("%s:%u: %s", path, line, text);
        else
                say_line("%s: %s", path, text);
}

unsigned settings_line(const struct settings *settings, const char *section, const char *key)
{
        for (size_t i = 0; i < ARRAY_SIZE(table); i++)
                if (streq(table[i].section, section) && streq(table[i].name, key))
                        return settings->lines[i];
        return 0;
}

void settings_say_fault(const struct settings *settings, const char *path, const char *section,
                        const char *key, const char *text)
{
        say_fault((char *)(uintptr_t)path, settings_line(settings, section, key), text);
}

int settings_load(const char *path, enum settings_reader reader, struct settings *ret)
{
        _cleanup_(freep) uint8_t *text = NULL;
        size_t len = 0;
        int r = file_read(path, SETTINGS_FILE_MAX, &text, &len);

        if (r < 0) {
                say_line("%s: cannot be read: %s", path, strerror(-r));
                return r;
        }
        return settings_parse((char *)text, len, reader, say_fault, (char *)(uintptr_t)path, ret);
}

void settings_done(struct settings *settings)
{
        free(settings->broker.host);
        free(settings->broker.ca_file);
        free(settings->broker.certificate);
        free(settings->broker.key);
        free(settings->broker.user);
        free(settings->broker.password_file);
        free(settings->station.name);
        free(settings->station.socket);
        free(settings->station.consumer);
        free(settings->database.connection);
        free(settings->collector.group);
        *settings = (struct settings){ 0 };
}
