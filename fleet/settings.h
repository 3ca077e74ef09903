/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The configuration of the fleet's programs: mqtt.conf, collect.conf; mqtt.conf(5) says what each key means. One table has
 * all keys; each program takes the sections that are its own. What is not understood is an error with its line.
 */
#pragma once

#include "core/util.h"

#define SETTINGS_FILE_MAX (64 * KIB)

struct broker_settings {
        char *host;
        unsigned port; /* never 0 */
        bool no_tls;
        char *ca_file;              /* NULL: the system's */
        char *certificate, *key;    /* the client's; both or none */
        char *user, *password_file; /* both or none */
        unsigned keep_alive_sec;
        unsigned retry_max_sec; /* the longest wait before it is tried again; 0: it is not */
};

#define SETTINGS_KEYS_MAX 32

struct settings {
        struct broker_settings broker;
        struct {
                char *name;              /* NULL: the station's own */
                char *socket;            /* NULL: espdfud's */
                char *consumer;          /* what we are called at the station's ledger */
                unsigned window;         /* records on their way: sent and not yet delivered */
                unsigned send_again_sec; /* after which they are sent again, when none was delivered */
        } station;
        struct {
                char *connection;         /* libpq's */
                unsigned batch;           /* records in a transaction, at most */
                unsigned batch_wait_msec; /* how long the first of them waits for others */
        } database;
        struct {
                char *group; /* of the shared subscription */
        } collector;
        unsigned lines[SETTINGS_KEYS_MAX]; /* of settings_line() */
};
void settings_done(struct settings *settings);

/* In which line of its file a key of a section is; 0: nowhere. */
unsigned settings_line(const struct settings *settings, const char *section, const char *key);

/* Which program reads it; a bit each. */
enum settings_reader {
        SETTINGS_BRIDGE = 1 << 0,
        SETTINGS_COLLECTOR = 1 << 1,
        SETTINGS_FLEET = 1 << 2,
};

/* line 0: of the whole file. */
typedef void (*settings_fault_t)(void *userdata, unsigned line, const char *text);

/* 0, -EINVAL after at least one fault was told, -ENOMEM. *ret is overwritten, and empty on failure. */
int settings_parse(const char *text, size_t len, enum settings_reader reader, settings_fault_t fault,
                   void *userdata, struct settings *ret);
/* The same of a file. What is wrong with it is said, "FILE:LINE: …", a line for each. A negative errno then. */
int settings_load(const char *path, enum settings_reader reader, struct settings *ret);
/* Whether the files that it names for the broker are there and can be used now: certificates, key, password. What is wrong with
 * them is said as above. 0 or -EINVAL. */
int settings_check_files(const struct settings *settings, const char *path);
/* Says one more fault, of a key of this configuration; the text is "KEY = …: why". */
void settings_say_fault(const struct settings *settings, const char *path, const char *section,
                        const char *key, const char *text);
