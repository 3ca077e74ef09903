/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <stdio.h>

#include "tests/vm/words.h"

bool word_to_number(const char *word, uint64_t *ret)
{
        char *end;
        unsigned long long v;

        if (!isdigit((unsigned char)word[0]))
                return false;
        errno = 0;
        v = strtoull(word, &end, 0);
        if (errno != 0 || *end)
                return false;
        *ret = v;
        return true;
}

int word_find(const char *const words[], size_t n, const char *word)
{
        for (size_t i = 0; i < n; i++)
                if (words[i] && streq(words[i], word))
                        return (int)i;
        return -1;
}

static const char *const chip_words[ROM_N_CHIPS] = {
        [ROM_S2] = "S2",
        [ROM_S3] = "S3",
        [ROM_P4] = "P4",
        [ROM_S31] = "S31",
};

static bool parse_mac(const char *word, uint8_t ret[static 6])
{
        unsigned b[6];
        char rest;

        if (sscanf(word, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &rest) != 6)
                return false;
        for (size_t i = 0; i < 6; i++)
                ret[i] = (uint8_t)b[i];
        return true;
}

/* "patch=OFFSET:BYTE" */
static bool parse_patch(const char *word, struct rom_config *config)
{
        unsigned offset, to;
        char rest;

        if (sscanf(word, "%u:%i%c", &offset, (int *)&to, &rest) != 2 || offset >= ROM_CONFIGURATION_SIZE ||
            to > 255)
                return false;
        config->patch_offset = (uint8_t)offset;
        config->patch_to = (uint8_t)to;
        return true;
}

/* Spaces end a word: an underscore in a string stands for one. */
static void underscores_to_spaces(char *value)
{
        for (char *s = value; *s; s++)
                if (*s == '_')
                        *s = ' ';
}

static bool parse_plug_string(const char *key, char *value, struct plug *plug)
{
        static const char *const keys[] = { "serial", "product", "manufacturer" };
        const char **fields[] = { &plug->config.serial, &plug->config.product, &plug->config.manufacturer };
        int i = WORD_FIND(keys, key);

        if (i < 0)
                return false;
        underscores_to_spaces(value);
        if (free_and_strdup(&plug->strings[i], value) < 0)
                return false;
        *fields[i] = plug->strings[i];
        return true;
}

static bool parse_plug_number(const char *key, const char *value, struct rom_config *config)
{
        uint64_t n;

        if (!word_to_number(value, &n))
                return false;
        if (streq(key, "transfer"))
                config->timing.transfer_usec = n;
        else if (streq(key, "erase"))
                config->timing.erase_sector_usec = n;
        else if (streq(key, "page"))
                config->timing.write_page_usec = n;
        else if (streq(key, "verify"))
                config->timing.verify_usec_per_mib = n;
        else if (streq(key, "detach"))
                config->detach_usec = n;
        else if (streq(key, "flash") && n <= UINT32_MAX)
                config->flash_size = (uint32_t)n;
        else if (streq(key, "pid") && n <= UINT16_MAX)
                config->pid = (uint16_t)n;
        else if (streq(key, "bcd") && n <= UINT16_MAX)
                config->bcd_device = (uint16_t)n;
        else
                return false;
        return true;
}

static bool parse_plug_word(char *word, struct plug *plug)
{
        struct rom_config *config = &plug->config;
        char *value = strchr(word, '=');

        if (streq(word, "dfu") || streq(word, "runtime"))
                config->starts_in_dfu_mode = streq(word, "dfu");
        else if (streq(word, "realistic"))
                config->timing = rom_timing_realistic;
        else if (streq(word, "application-after-reset"))
                config->application_after_reset = true;
        else if (!value)
                return false;
        else {
                *value++ = '\0';
                if (streq(word, "mac"))
                        return parse_mac(value, config->mac);
                if (streq(word, "patch"))
                        return parse_patch(value, config);
                return parse_plug_string(word, value, plug) || parse_plug_number(word, value, config);
        }
        return true;
}

const char *words_to_plug(char *words[], size_t n, struct plug *plug)
{
        int chip = n > 0 ? WORD_FIND(chip_words, words[0]) : -1;

        if (chip < 0)
                return n > 0 ? words[0] : "nothing";
        plug->config.chip = (enum rom_chip)chip;
        for (size_t i = 1; i < n; i++)
                if (!parse_plug_word(words[i], plug))
                        return words[i];
        return NULL;
}
