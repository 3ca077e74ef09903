/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vocabulary of the configuration's tests: a text goes in, a configuration or its exact messages come out. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/config.h"

/* All messages, one under the other; to be freed. */
static inline char *errors_text(const struct config_errors *errors)
{
        size_t size = 1;
        char *text;

        for (size_t i = 0; i < errors->n_lines; i++)
                size += strlen(errors->lines[i]) + 1;
        text = calloc(1, size);
        assert_non_null(text);
        for (size_t i = 0, at = 0; i < errors->n_lines; i++) {
                size_t n = strlen(errors->lines[i]);

                memcpy(text + at, errors->lines[i], n);
                text[at + n] = '\n';
                at += n + 1;
        }
        return text;
}

/* text is the file line3.conf; messages what it is answered with, "" for nothing. To be freed. */
static inline struct config *read_bytes(const char *text, size_t len, const char *messages)
{
        struct config *config = NULL;
        struct config_errors errors = {};
        char *said;

        assert_int_equal(config_new(&config), 0);
        assert_int_equal(config_parse(config, "line3.conf", text, len, &errors), 0);
        said = errors_text(&errors);
        assert_string_equal(said, messages);
        free(said);
        config_errors_done(&errors);
        return config;
}

static inline struct config *read_text(const char *text, const char *messages)
{
        return read_bytes(text, strlen(text), messages);
}

static inline void expect_messages(const char *text, const char *messages)
{
        config_free(read_text(text, messages));
}
