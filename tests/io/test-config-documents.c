/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The installed configuration and the man page say what the table of keys says. */
#include <ctype.h>
#include <stdio.h>

#include "core/config-keys.h"
#include "io/config-dir.h"
#include "io/file.h"
#include "tests/unit/config-text.h"

/* To be freed. Not inlined: gcc 12 would then take what points into the text for what points to the variable. */
__attribute__((noinline)) static char *read_document(const char *path)
{
        uint8_t *text = NULL;
        size_t len = 0;

        assert_int_equal(file_read(path, CONFIG_FILE_MAX, &text, &len), 0);
        return (char *)text;
}

static void test_installed_configuration_is_valid_and_touches_no_board(void **state)
{
        _cleanup_(config_freep) struct config *config = NULL;
        struct config_errors errors = {};

        (void)state;
        assert_int_equal(config_load(TOP_SRCDIR "/conf", NULL, &config, &errors), 0);
        assert_null(config->station_name);
        assert_int_equal(config->n_policies, 0);
        assert_int_equal(config->n_slots, 0);
        assert_int_equal(config->n_hubs, 0);
}

static void test_installed_configuration_is_valid_with_every_semicolon_taken_away(void **state)
{
        _cleanup_(freep) char *text = read_document(TOP_SRCDIR "/conf/espdfud.conf");
        _cleanup_(config_freep) struct config *config = NULL;

        (void)state;
        for (char *line = text; line; line = strchr(line, '\n'), line += line ? 1 : 0)
                if (*line == ';')
                        memmove(line, line + 1, strlen(line));
        config = read_text(text, "");
        assert_string_equal(config->station_name, "line3-a");
        assert_int_equal(config->n_slots, 2);
        assert_int_equal(config->n_hubs, 2);
        assert_int_equal(config->n_policies, 1);
}

/* Where, from a section's header on, one of another kind begins. */
static const char *end_of_section(const char *at, const char *header)
{
        const char *end = at + strlen(at);

        while ((at = strchr(at + 1, '['))) {
                bool begins_line = at[-1] == '\n' || (at[-1] == ';' && at[-2] == '\n');

                if (begins_line && !str_has_prefix(at, header))
                        return at;
        }
        return end;
}

static void test_installed_configuration_has_every_key_with_its_default(void **state)
{
        _cleanup_(freep) char *text = read_document(TOP_SRCDIR "/conf/espdfud.conf");
        const struct config_key *key;

        (void)state;
        for (size_t i = 0; (key = config_key_at(i)); i++) {
                const char *section = config_section_to_string(key->section);
                const char *value = key->default_value, *at, *end;
                char header[64], line[128];

                snprintf(header, sizeof(header), "[%s", section);
                at = strstr(text, header);
                assert_non_null(at);
                end = end_of_section(at, header);
                snprintf(line, sizeof(line), "\n;%s = %s%s", key->name, value ? value : "",
                         value ? "\n" : "");
                at = strstr(at, line);
                if (!at || at >= end)
                        fail_msg("espdfud.conf has no line \"%s\" in [%s]", line + 1, section);
        }
}

/* ".Sh SLOT SECTIONS" and what stands below it. */
static const char *man_section(const char *text, enum config_section section)
{
        char heading[64];
        int n = snprintf(heading, sizeof(heading), "\n.Sh %s SECTION", config_section_to_string(section));

        for (int i = (int)strlen("\n.Sh "); i < n; i++)
                heading[i] = (char)toupper(heading[i]);
        return strstr(text, heading);
}

/* Whether the man page has an item for the key in its section, and in it, before the next item, its default. */
static bool documents(const char *text, const struct config_key *key)
{
        char item[64], value[64];
        const char *at, *next, *found;

        text = man_section(text, key->section);
        assert_non_null(text);
        snprintf(item, sizeof(item), "\n.It Cm %s\n", key->name);
        at = strstr(text, item);
        next = strstr(text + 1, "\n.Sh ");
        if (at && next && at > next)
                return false;
        if (!at || !key->default_value)
                return at;
        snprintf(value, sizeof(value), "\nDefault: %s", key->default_value);
        next = strstr(at + 1, "\n.It ");
        found = strstr(at, value);
        return found && (!next || found < next);
}

static void test_man_page_has_every_key_with_its_default(void **state)
{
        char *text = read_document(TOP_SRCDIR "/docs/espdfud.conf.5");
        const struct config_key *key;

        (void)state;
        for (size_t i = 0; (key = config_key_at(i)); i++)
                if (!documents(text, key))
                        fail_msg("espdfud.conf.5 lacks %s or its default", key->name);
        free(text);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_installed_configuration_is_valid_and_touches_no_board),
                cmocka_unit_test(test_installed_configuration_is_valid_with_every_semicolon_taken_away),
                cmocka_unit_test(test_installed_configuration_has_every_key_with_its_default),
                cmocka_unit_test(test_man_page_has_every_key_with_its_default),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
