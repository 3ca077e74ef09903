/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/cursor-file.h"

#include "io/file-write.h"
#include "io/file.h"
#include "io/say.h"

int cursor_file_read(const char *path, struct delivered *ret)
{
        _cleanup_(freep) uint8_t *text = NULL;
        size_t len = 0;
        int r = file_read(path, DELIVERED_TEXT_MAX, &text, &len);

        if (r == -ENOENT)
                return 1;
        if (r == 0)
                r = delivered_parse(text, len, ret);
        if (r < 0)
                say_line("%s: %s; the records begin where the collector says, or at their beginning", path,
                         r == -EPROTO ? "not a cursor: expected what espdfu-mqtt wrote" : strerror(-r));
        return r;
}

int cursor_file_write(const char *path, const struct delivered *cursor)
{
        char text[DELIVERED_TEXT_SIZE];

        return file_write(path, text, delivered_print(cursor, text));
}
