/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/demo/screen.h"

#include <pty.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define WIDTH_MAX  96 /* columns of a paragraph */
#define INDENT     "   "
#define BOLD       "\033[1m"
#define PLAIN      "\033[0m"
#define LINE_CLEAR "\033[K"
#define REST_CLEAR "\033[J"
#define WRAP_OFF   "\033[?7l"
#define WRAP_ON    "\033[?7h"

static struct {
        bool is_terminal, is_live, is_coloured;
        struct winsize size;
        char *picture; /* as drawn last, or NULL */
} screen;

void screen_begin(void)
{
        const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
        bool is_dumb = !term || streq(term, "dumb");

        screen.is_terminal = isatty(STDOUT_FILENO);
        screen.is_live = screen.is_terminal && !is_dumb;
        screen.is_coloured = screen.is_live && !(no_color && *no_color);
        if (!screen.is_terminal || ioctl(STDOUT_FILENO, TIOCGWINSZ, &screen.size) < 0 ||
            screen.size.ws_col == 0)
                screen.size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
        setvbuf(stdout, NULL, _IOFBF, 0); /* a picture is written in one go */
}

bool screen_is_live(void)
{
        return screen.is_live;
}

/* ---- text ---------------------------------------------------------------------- */

static size_t text_width(void)
{
        return MIN((size_t)screen.size.ws_col, (size_t)WIDTH_MAX) - 1;
}

/* Fills lines with words. */
static void print_paragraph(const char *text)
{
        size_t width = text_width(), column = 0;
        g_auto(GStrv) words = g_strsplit(text, " ", -1);

        for (char **word = words; *word; word++) {
                size_t len = strlen(*word);

                if (column > 0 && column + 1 + len > width) {
                        putchar('\n');
                        column = 0;
                }
                column += (size_t)printf("%s%s", column == 0 ? INDENT : " ", *word);
        }
        putchar('\n');
}

void screen_heading(const char *text)
{
        printf("\n%s%s%s\n", screen.is_coloured ? BOLD : "", text, screen.is_coloured ? PLAIN : "");
        fflush(stdout);
}

void screen_say(const char *format, ...)
{
        g_autofree char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);
        print_paragraph(text);
        fflush(stdout);
}

void screen_line(const char *format, ...)
{
        g_autofree char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);
        printf("%s%s\n", *text ? INDENT : "", text);
        fflush(stdout);
}

/* ---- programs ------------------------------------------------------------------- */

/* A terminal as ours, less columns than it has, where ours is one; else a pipe. */
static int open_output(unsigned short less, int *ret_reader, int *ret_writer)
{
        struct winsize size = screen.size;
        struct termios raw = { 0 };
        int fds[2];

        if (screen.is_terminal) {
                cfmakeraw(&raw);
                raw.c_cflag |= CREAD;
                size.ws_col = (unsigned short)(size.ws_col - MIN(less, size.ws_col));
                if (openpty(ret_reader, ret_writer, NULL, &raw, &size) < 0)
                        return -errno;
                return 0;
        }
        if (pipe(fds) < 0)
                return -errno;
        *ret_reader = fds[0];
        *ret_writer = fds[1];
        return 0;
}

static int capture(const char *const *argv, unsigned short less, char **ret_output)
{
        g_autoptr(GString) output = g_string_new(NULL);
        int reader = -1, writer = -1, status = 0;
        char buffer[4096];
        gboolean started;
        ssize_t n;
        GPid pid;
        int r;

        r = open_output(less, &reader, &writer);
        if (r < 0)
                return r;
        started = g_spawn_async_with_fds(NULL, (char **)argv, NULL,
                                         G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid,
                                         -1, writer, writer, NULL);
        close(writer);
        while (started && (n = read(reader, buffer, sizeof(buffer))) != 0) {
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0) /* EIO: the other side of a terminal is closed */
                        break;
                g_string_append_len(output, buffer, n);
        }
        close(reader);
        if (!started)
                return -ENOEXEC;
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        *ret_output = g_string_free(g_steal_pointer(&output), FALSE);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

int screen_capture(const char *const *argv, char **ret_output)
{
        return capture(argv, 0, ret_output);
}

/* As somebody would type it, over several lines if need be. */
static void print_command(const char *const *argv)
{
        size_t width = text_width() - strlen(INDENT), column = 1;

        printf(INDENT "%s$", screen.is_coloured ? BOLD : "");
        for (; *argv; argv++) {
                if (column + 1 + strlen(*argv) + strlen(" \\") > width) {
                        printf(" \\\n" INDENT INDENT);
                        column = strlen(INDENT);
                }
                column += (size_t)printf(" %s", *argv);
        }
        printf("%s\n", screen.is_coloured ? PLAIN : "");
        fflush(stdout);
}

static void print_indented(const char *text)
{
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

        for (char **line = lines; *line; line++)
                if (**line || line[1])
                        printf("%s%s\n", **line ? INDENT : "", *line);
        fflush(stdout);
}

int screen_command(const char *const *argv)
{
        g_autofree char *output = NULL;
        int r;

        print_command(argv);
        r = capture(argv, strlen(INDENT), &output);
        if (r < 0)
                printf("%s: %s\n", argv[0], strerror(-r));
        else
                print_indented(output);
        return r;
}

/* ---- the picture ------------------------------------------------------------------ */

static unsigned count_lines(const char *text)
{
        unsigned n = 0;

        for (; (text = strchr(text, '\n')); text++)
                n++;
        return n;
}

/* To where the picture begins. */
static void go_back(void)
{
        unsigned n = screen.picture ? count_lines(screen.picture) : 0;

        if (n > 0)
                printf("\033[%uA", n);
        putchar('\r');
}

/* Each line is cut at the edge of the screen, so that the lines can be counted. */
static void print_picture(void)
{
        g_auto(GStrv) lines = g_strsplit(screen.picture, "\n", -1);

        fputs(WRAP_OFF, stdout);
        for (char **line = lines; *line && line[1]; line++)
                printf("%s" LINE_CLEAR "\n", *line);
        fputs(REST_CLEAR WRAP_ON, stdout);
        fflush(stdout);
}

void screen_draw(const char *text)
{
        go_back();
        g_free(screen.picture);
        screen.picture = g_strdup(text);
        print_picture();
}

void screen_end_drawing(void)
{
        g_clear_pointer(&screen.picture, g_free);
}

void screen_note(const char *format, ...)
{
        va_list ap;

        if (screen.picture)
                go_back();
        va_start(ap, format);
        fputs(INDENT, stdout);
        vprintf(format, ap);
        va_end(ap);
        fputs(screen.picture ? LINE_CLEAR "\n" : "\n", stdout);
        if (screen.picture)
                print_picture();
        fflush(stdout);
}
