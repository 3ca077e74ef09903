/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/topics.h"

#include <stdio.h>

#include "core/hex.h"
#include "core/utf8.h"

#define ROOT   "espdfu/"
#define PREFIX ROOT TOPIC_VERSION "/"

static const char *const topic_kind_words[TOPIC_KIND_MAX_] = {
        [TOPIC_ONLINE] = "online", [TOPIC_STATION] = "station",     [TOPIC_SLOT] = "slot",
        [TOPIC_JOB] = "job",       [TOPIC_DELIVERED] = "delivered",
};
DEFINE_WORDS(topic_kind, topic_kind_words)

#define LEVEL_SIZE (3 * TOPIC_NAME_MAX + 1)

static bool is_plain(unsigned char c)
{
        return c > ' ' && c != 0x7f && !strchr("/+#%", c);
}

static bool encode_level(char ret[static LEVEL_SIZE], const char *name)
{
        size_t len = name ? strlen(name) : 0;
        char *to = ret;

        if (len == 0 || len > TOPIC_NAME_MAX)
                return false;
        for (; *name; name++) {
                uint8_t byte = (uint8_t)*name;

                if (is_plain(byte)) {
                        *to++ = (char)byte;
                } else {
                        *to++ = '%';
                        hex_encode(&byte, 1, to);
                        to += 2;
                }
        }
        *to = '\0';
        return true;
}

/* What is encoded no broker has looked at. */
static bool is_utf8(const char *text, size_t len)
{
        while (len > 0) {
                uint32_t c;
                size_t n = utf8_decode(text, len, &c);

                if (n == 0)
                        return false;
                text += n;
                len -= n;
        }
        return true;
}

bool topic_name_is_right(const char *name)
{
        size_t len = strlen(name);

        return len > 0 && len <= TOPIC_NAME_MAX && is_utf8(name, len);
}

static bool decode_level(char ret[static TOPIC_NAME_MAX + 1], const char *level, size_t len)
{
        size_t n = 0;

        for (size_t i = 0; i < len; i++) {
                char c = level[i];

                if (c == '%') {
                        int high = i + 2 < len ? hex_digit(level[i + 1]) : -EINVAL;
                        int low = i + 2 < len ? hex_digit(level[i + 2]) : -EINVAL;

                        if (high < 0 || low < 0 || high + low == 0)
                                return false;
                        c = (char)(high << 4 | low);
                        i += 2;
                }
                if (n == TOPIC_NAME_MAX)
                        return false;
                ret[n++] = c;
        }
        ret[n] = '\0';
        return n > 0 && is_utf8(ret, n);
}

int topic_print(char ret[static TOPIC_SIZE], enum topic_kind kind, const char *station, const char *slot)
{
        char station_level[LEVEL_SIZE], slot_level[LEVEL_SIZE];
        const char *word = topic_kind_to_string(kind);

        if (!encode_level(station_level, station))
                return -ENAMETOOLONG;
        if (kind != TOPIC_SLOT) {
                snprintf(ret, TOPIC_SIZE, PREFIX "%s/%s", station_level, word);
                return 0;
        }
        if (!encode_level(slot_level, slot))
                return -ENAMETOOLONG;
        snprintf(ret, TOPIC_SIZE, PREFIX "%s/%s/%s", station_level, word, slot_level);
        return 0;
}

/* The next level of *text, borrowed; *text is then behind its '/', or NULL. */
static const char *next_level(const char **text, size_t *ret_len)
{
        const char *level = *text;

        *ret_len = strcspn(level, "/");
        *text = level[*ret_len] ? level + *ret_len + 1 : NULL;
        return level;
}

static bool level_is_kind(const char *level, size_t len, enum topic_kind *ret)
{
        for (enum topic_kind kind = 0; kind < TOPIC_KIND_MAX_; kind++) {
                const char *word = topic_kind_to_string(kind);

                if (strlen(word) == len && memcmp(word, level, len) == 0) {
                        *ret = kind;
                        return true;
                }
        }
        return false;
}

/* What stands behind the version. */
static bool parse_rest(const char *text, struct topic *topic)
{
        const char *level;
        size_t len;

        level = next_level(&text, &len);
        if (!text || !decode_level(topic->station, level, len))
                return false;
        level = next_level(&text, &len);
        if (!level_is_kind(level, len, &topic->kind))
                return false;
        if (topic->kind != TOPIC_SLOT)
                return !text;
        if (!text)
                return false;
        level = next_level(&text, &len);
        return !text && decode_level(topic->slot, level, len);
}

int topic_parse(const char *text, struct topic *ret)
{
        struct topic topic = { 0 };

        if (!str_has_prefix(text, ROOT))
                return TOPIC_FOREIGN;
        if (!str_has_prefix(text, PREFIX)) {
                text += strlen(ROOT);
                return text[strspn(text, "0123456789")] == '/' && *text != '/' ? TOPIC_OTHER_VERSION
                                                                               : TOPIC_FOREIGN;
        }
        if (!parse_rest(text + strlen(PREFIX), &topic))
                return TOPIC_FOREIGN;
        *ret = topic;
        return 0;
}
