/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/last-words.h"

#include <fcntl.h>
#include <unistd.h>

int last_words_open(int *ret_fd, int *ret_engine_fd)
{
        int pair[2];

        /* Neither end waits for the other, whatever is written or not. */
        if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
                return -errno;
        if (fcntl(pair[1], F_SETPIPE_SZ, (int)LAST_WORDS_BYTES_MAX) < 0) {
                int r = -errno;

                close(pair[0]);
                close(pair[1]);
                return r;
        }
        *ret_fd = pair[0];
        *ret_engine_fd = pair[1];
        return 0;
}

/* Of text the next line, or as much of a long one as is told at once; cut off by a NUL. Returns where the next begins. */
static size_t cut_line(char *text, size_t begin, size_t len, char ret[static LAST_WORDS_LINE_MAX + 1])
{
        size_t n = 0;

        while (begin < len && text[begin] != '\n' && n < LAST_WORDS_LINE_MAX) {
                ret[n++] = (char)(text[begin] ? text[begin] : ' ');
                begin++;
        }
        ret[n] = '\0';
        return begin < len && text[begin] == '\n' ? begin + 1 : begin;
}

void last_words_tell(int fd, void (*line)(void *userdata, const char *text), void *userdata)
{
        _cleanup_(freep) char *text = malloc(LAST_WORDS_BYTES_MAX);
        char one[LAST_WORDS_LINE_MAX + 1];
        size_t len = 0, begin = 0;
        ssize_t n;

        /* EAGAIN too is an end: somebody else has the engine's end still, and nothing more is said. */
        while (text && len < LAST_WORDS_BYTES_MAX &&
               (n = read(fd, text + len, LAST_WORDS_BYTES_MAX - len)) > 0)
                len += (size_t)n;
        for (unsigned i = 0; begin < len && i < LAST_WORDS_LINES_MAX; i++) {
                begin = cut_line(text, begin, len, one);
                if (*one)
                        line(userdata, one);
        }
        if (begin < len || len == LAST_WORDS_BYTES_MAX)
                line(userdata, "… and more");
}
