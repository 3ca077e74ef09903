/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/slot-file.h"

#include <stdio.h>

#include "core/config-values.h"
#include "core/config.h"

/* Whether the line at text, up to its end, begins a section; *ret_name and *ret_len: what stands behind "slot ", or NULL. */
static bool is_header(const char *text, const char **ret_name, size_t *ret_len)
{
        size_t len = strcspn(text, "\n"), end = strcspn(text, "]\n");
        const char *name = text + 1;

        *ret_name = NULL;
        if (text[0] != '[')
                return false;
        if (end < len && str_has_prefix(name, "slot") && strchr(" \t", name[4])) {
                name += 4 + strspn(name + 4, " \t");
                *ret_name = name;
                *ret_len = (size_t)(text + end - name);
        }
        return true;
}

static bool is_slot(const char *name, size_t len, const char *wanted)
{
        return name && strlen(wanted) == len && memcmp(name, wanted, len) == 0;
}

static const char *next_line(const char *text)
{
        text += strcspn(text, "\n");
        return text + (*text == '\n');
}

unsigned slot_file_line(const char *text, const char *name)
{
        unsigned line = 1;

        for (; *text; text = next_line(text), line++) {
                const char *found;
                size_t len = 0;

                if (is_header(text, &found, &len) && is_slot(found, len, name))
                        return line;
        }
        return 0;
}

static bool is_replaced(const char *name, size_t len, const struct named_port *slots, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (is_slot(name, len, slots[i].name))
                        return true;
        return false;
}

bool named_port_is_sound(const struct named_port *slot)
{
        if (!value_is_name(slot->name, CONFIG_NAME_MAX) || (!slot->path && !slot->port))
                return false;
        if (slot->port && !value_is_port(slot->port))
                return false;
        return !slot->path || (value_is_id_path(slot->path) && !strpbrk(slot->path, "[]=#;"));
}

int slot_file_put(const char *text, const struct named_port *slots, size_t n, char **ret)
{
        _cleanup_(freep) char *out = NULL;
        size_t size = 0;
        bool skipping = false, ended = true;
        FILE *f;

        for (size_t i = 0; i < n; i++)
                if (!named_port_is_sound(&slots[i]))
                        return -EINVAL;
        f = open_memstream(&out, &size);
        if (!f)
                return -ENOMEM;
        for (const char *line = text, *next; *line; line = next) {
                const char *name;
                size_t len = 0;

                next = next_line(line);
                if (is_header(line, &name, &len))
                        skipping = is_replaced(name, len, slots, n);
                if (skipping)
                        continue;
                fwrite(line, 1, (size_t)(next - line), f);
                ended = next[-1] == '\n';
        }
        if (!ended)
                fputc('\n', f);
        for (size_t i = 0; i < n; i++)
                fprintf(f, "[slot %s]\n%s = %s\n", slots[i].name, slots[i].path ? "path" : "port",
                        slots[i].path ? slots[i].path : slots[i].port);
        if (fclose(f) != 0)
                return -ENOMEM;
        *ret = take_ptr(out);
        return 0;
}
