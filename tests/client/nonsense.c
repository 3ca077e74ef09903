/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nonsense PATH KIND [TIMES]: listens on PATH, and answers every call with what no espdfud says. Prints "ready" when it
 * listens. KIND:
 *   text      words that are no JSON           types     a reply whose fields have wrong types
 *   shape     JSON that is no reply            huge      a message of endless length, as fast as it is read
 *   begun     the beginning of a message       silent    nothing
 *   hang-up   hangs up                         flood     the same wrong reply without an end
 *   busy      what an espdfud says, without an end
 *   full      what an espdfud says that has no place, before it is asked, and hangs up
 * With TIMES it ends after so many connections.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const struct kind {
        const char *name, *answer;
        int ended, again; /* with its NUL; without an end */
} kinds[] = {
        { "text", "Hello. What can I do for you?", 1, 0 },
        { "shape", "[1, 2, 3]", 1, 0 },
        { "types",
          "{\"parameters\":{\"station\":{\"name\":7,\"version\":[]},\"slots\":\"none\",\"policies\":{},"
          "\"whole\":1,\"gone\":3}}",
          1, 0 },
        { "flood", "{\"continues\":true,\"parameters\":{\"station\":[],\"slots\":{}}}", 1, 1 },
        { "busy",
          "{\"continues\":true,\"parameters\":{\"station\":{\"name\":\"busy\",\"version\":\"1\"},\"slots\":[]"
          ",\"policies\":[],"
          "\"whole\":true,\"gone\":[]}}",
          1, 1 },
        { "huge", "{\"parameters\":{\"station\":{\"name\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 0,
          1 },
        { "begun", "{\"parameters\":{\"station\":{\"name\":\"line3-a", 0, 0 },
        { "silent", "", 0, 0 },
        { "hang-up", NULL, 0, 0 },
        { "full",
          "{\"error\":\"io.espdfu.Station1.Busy\",\"parameters\":{\"message\":\"all places are taken\"}}", 1,
          0 },
};

/* What never ends is sent so that the reader's end is never empty: many at once, into a big buffer. */
static void answer_again(int fd, const char *text, size_t size)
{
        static char many[65536];
        size_t n = 0;

        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){ 4 << 20 }, sizeof(int));
        for (; n + size <= sizeof(many); n += size)
                memcpy(many + n, text, size);
        for (size_t sent = 0;;) {
                ssize_t r = write(fd, many + sent, n - sent);

                if (r < 0)
                        return;
                sent = (sent + (size_t)r) % n;
        }
}

static void answer(int fd, const struct kind *kind)
{
        char data[4096];
        size_t size = strlen(kind->answer) + (kind->ended ? 1 : 0);

        if (kind->again) {
                answer_again(fd, kind->answer, size);
                return;
        }
        if (size > 0 && write(fd, kind->answer, size) < 0)
                return;
        while (read(fd, data, sizeof(data)) > 0)
                ;
}

int main(int argc, char **argv)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        const struct kind *kind = NULL;
        long times = argc > 3 ? strtol(argv[3], NULL, 10) : -1;
        int fd = socket(AF_UNIX, SOCK_STREAM, 0), peer;
        char data[4096];

        if (argc < 3 || strlen(argv[1]) >= sizeof(address.sun_path))
                return 2;
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
                if (strcmp(kinds[i].name, argv[2]) == 0)
                        kind = &kinds[i];
        memcpy(address.sun_path, argv[1], strlen(argv[1]) + 1);
        unlink(argv[1]);
        signal(SIGPIPE, SIG_IGN);
        if (!kind || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 8) < 0)
                return 99;
        printf("ready\n");
        fflush(stdout);
        for (; times != 0; times -= times > 0) {
                peer = accept(fd, NULL, NULL);
                if (peer < 0)
                        return 99;
                if (strcmp(kind->name, "full") == 0)
                        (void)!write(peer, kind->answer, strlen(kind->answer) + 1);
                else if (read(peer, data, sizeof(data)) > 0 && kind->answer)
                        answer(peer, kind);
                close(peer);
        }
        return 0;
}
