/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "show/terminal.h"

#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* The other screen, without cursor, and lines that are too long are cut, not folded. */
#define SCREEN_ENTER "\033[?1049h\033[?25l\033[?7l"
#define SCREEN_LEAVE "\033[?7h\033[?25h\033[?1049l"
#define CURSOR_HOME  "\033[H"
#define LINE_CLEAR   "\033[K"
#define REST_CLEAR   "\033[J"

static struct termios before;
static bool keys;

/* A process in the background may not change the terminal; it would be stopped for it. */
static bool is_ours(void)
{
        return isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp();
}

void terminal_enter(void)
{
        struct termios now;

        keys = is_ours() && tcgetattr(STDIN_FILENO, &before) == 0;
        if (keys) {
                now = before;
                now.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
                now.c_cc[VMIN] = 1;
                now.c_cc[VTIME] = 0;
                keys = tcsetattr(STDIN_FILENO, TCSANOW, &now) == 0;
        }
        fputs(SCREEN_ENTER, stdout);
        fflush(stdout);
}

void terminal_leave(void)
{
        fputs(SCREEN_LEAVE, stdout);
        fflush(stdout);
        if (keys && is_ours())
                tcsetattr(STDIN_FILENO, TCSANOW, &before);
        keys = false;
}

void terminal_suspend(void)
{
        terminal_leave();
        raise(SIGSTOP);
        terminal_enter();
}

void terminal_size(size_t *ret_width, size_t *ret_height)
{
        struct winsize size = { 0 };

        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col == 0)
                size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
        *ret_width = size.ws_col;
        *ret_height = size.ws_row;
}

struct pollfd terminal_keys(void)
{
        return (struct pollfd){ .fd = keys ? STDIN_FILENO : -EBADF, .events = POLLIN };
}

bool terminal_quits(void)
{
        char text[64];
        ssize_t n = read(STDIN_FILENO, text, sizeof(text));

        if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
                return true;
        return n > 0 && (memchr(text, 'q', (size_t)n) || memchr(text, 'Q', (size_t)n));
}

void terminal_draw(const char *text, size_t height)
{
        size_t n_lines = 0;

        fputs(CURSOR_HOME, stdout);
        /* Cleared before it is written: behind a line that is as wide as the screen the cursor stands on its last letter. */
        for (; *text && n_lines < height; n_lines++) {
                size_t length = strcspn(text, "\n");

                printf("%s" LINE_CLEAR "%.*s", n_lines > 0 ? "\r\n" : "", (int)length, text);
                text += length + (text[length] == '\n');
        }
        if (n_lines < height)
                fputs("\r\n" REST_CLEAR, stdout);
        fflush(stdout);
}
