/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/config.h"
#include "core/ini-reader.h"
#include "core/utf8.h"

#define SPACE " \t"

struct ini_reader {
        const char *text; /* what is not read yet */
        size_t left;
        unsigned line;
        bool homeless; /* the last header was refused */
        const struct ini_events *events;
        void *userdata;
};

/* One line of the text without its end; borrowed, not NUL-terminated. */
struct ini_line {
        const char *text;
        size_t len;
};

static void fault(struct ini_reader *reader, const char *fmt, ...) _printf_(2, 3);

/* It quotes nothing of a line that has not the form of a configuration's: a drop-in that is a symbolic link may lead to a
 * file that those who read the message may not read. */
static void fault(struct ini_reader *reader, const char *fmt, ...)
{
        char text[2 * CONFIG_LINE_MAX];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        reader->events->fault(reader->userdata, reader->line, text);
}

static bool take_line(struct ini_reader *reader, struct ini_line *ret)
{
        const char *end;
        size_t len, step;

        if (reader->left == 0)
                return false;
        end = memchr(reader->text, '\n', reader->left);
        len = end ? (size_t)(end - reader->text) : reader->left;
        step = end ? len + 1 : len;
        *ret = (struct ini_line){ reader->text, len > 0 && reader->text[len - 1] == '\r' ? len - 1 : len };
        reader->text += step;
        reader->left -= step;
        reader->line++;
        return true;
}

static char line_at(const struct ini_line *line, size_t i)
{
        return (char)(i < line->len ? line->text[i] : '\0');
}

static size_t skip_space(const struct ini_line *line, size_t i)
{
        while (i < line->len && strchr(SPACE, line->text[i]))
                i++;
        return i;
}

static bool is_blank_or_comment(const struct ini_line *line)
{
        size_t i = skip_space(line, 0);

        return i == line->len || line->text[i] == ';' || line->text[i] == '#';
}

static bool check_characters(struct ini_reader *reader, const struct ini_line *line)
{
        size_t n;

        for (size_t i = 0; i < line->len; i += n) {
                uint32_t c = 0;

                n = utf8_decode(line->text + i, line->len - i, &c);
                if (n == 0) {
                        fault(reader, "byte 0x%02x in column %zu: expected UTF-8", (uint8_t)line->text[i],
                              i + 1);
                        return false;
                }
                if (utf8_is_control(c) && c != '\t') {
                        fault(reader, "control character 0x%02x in column %zu: expected text", (unsigned)c,
                              i + 1);
                        return false;
                }
        }
        return true;
}

/* "[slot A1]", and perhaps a comment: the text between the brackets goes to the listener. */
static bool take_header(struct ini_reader *reader, const struct ini_line *line)
{
        const char *close = memchr(line->text, ']', line->len);
        size_t begin = skip_space(line, 1), end, rest;
        char text[CONFIG_LINE_MAX + 1];

        if (!close) {
                fault(reader, "line of %zu bytes that begins with [: expected ] at its end", line->len);
                return false;
        }
        end = (size_t)(close - line->text);
        rest = skip_space(line, end + 1);
        if (rest < line->len && !strchr(";#", line->text[rest])) {
                fault(reader, "line of %zu bytes that begins with [: expected nothing after ]", line->len);
                return false;
        }
        while (end > begin && strchr(SPACE, line->text[end - 1]))
                end--;
        memcpy(text, line->text + begin, end - begin);
        text[end - begin] = '\0';
        reader->events->section(reader->userdata, reader->line, text);
        return true;
}

/* inih would also take "key: value"; one form is enough, and the colon is at home in the values. */
static bool check_key(struct ini_reader *reader, const struct ini_line *line)
{
        for (size_t i = 0; i < line->len; i++) {
                bool comment = i > 0 && line->text[i] == ';' && strchr(SPACE, line->text[i - 1]);

                if (line->text[i] == '=' && i > 0)
                        return true;
                if (strchr("=:", line->text[i]) || comment)
                        break;
        }
        fault(reader, "line of %zu bytes: expected KEY = VALUE or [SECTION]", line->len);
        return false;
}

/* room: how many bytes of a line the buffer takes. */
static bool check_form(struct ini_reader *reader, const struct ini_line *line, size_t room)
{
        if (!check_characters(reader, line))
                return false;
        if (line->len > room) {
                fault(reader, "line of %zu bytes: expected at most %zu", line->len, room);
                return false;
        }
        if (skip_space(line, 0) > 0) {
                fault(reader, "indented line: expected a key or a section at the line's start");
                return false;
        }
        return true;
}

/* Whether inih is to split this line; headers, comments and what is refused stop here. */
static bool is_for_inih(struct ini_reader *reader, const struct ini_line *line, size_t room)
{
        bool comment = is_blank_or_comment(line), header = line_at(line, skip_space(line, 0)) == '[';
        bool good = comment ? check_characters(reader, line) : check_form(reader, line, room);

        if (comment)
                return false;
        if (header) {
                reader->homeless = !good || !take_header(reader, line);
                return false;
        }
        return good && check_key(reader, line) && !reader->homeless;
}

/* inih's reader: one line of ours for each call, an empty one in place of a line that inih need not see. */
static char *read_line(char *buffer, int size, void *stream)
{
        struct ini_reader *reader = stream;
        struct ini_line line;
        size_t room;

        if (size < 2 || !take_line(reader, &line))
                return NULL;
        /* The line's end counts: inih reads on where a full buffer does not end with "\n". */
        room = MIN((size_t)size - 2, (size_t)CONFIG_LINE_MAX);
        if (!is_for_inih(reader, &line, room))
                line.len = 0;
        memcpy(buffer, line.text, line.len);
        memcpy(buffer + line.len, "\n", 2);
        return buffer;
}

static int on_key(void *userdata, const char *section, const char *name, const char *value)
{
        struct ini_reader *reader = userdata;

        (void)section; /* cut at 49 bytes: the headers are read above */
        reader->events->key(reader->userdata, reader->line, name, value);
        return 1;
}

void ini_read(const char *text, size_t len, const struct ini_events *events, void *userdata)
{
        struct ini_reader reader = { .text = text, .left = len, .events = events, .userdata = userdata };
        int r;

        if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* byte order mark */
                reader.text += 3;
                reader.left -= 3;
        }
        r = ini_parse_stream(read_line, &reader, on_key, &reader);
        if (r != 0) { /* a line that inih does not take and we did */
                reader.line = r > 0 ? (unsigned)r : 0;
                fault(&reader, "line not understood: expected KEY = VALUE");
        }
}
