/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An engine whose boards are files: "flashes" the image into the node. Where NODE.fails is, that is removed, and the board
 * stalls; where NODE.hangs is, it says that it begins, and waits until its daemon ends. */
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/engine-message.h"

#define CHANNEL_FD 3
#define IMAGE_FD   4

static void say(const struct engine_message *message)
{
        uint8_t packet[ENGINE_MESSAGE_SIZE];

        engine_message_encode(message, packet);
        if (send(CHANNEL_FD, packet, sizeof(packet), MSG_NOSIGNAL) < 0)
                _exit(1);
}

static bool flash(const char *node)
{
        char buffer[65536];
        FILE *f = fopen(node, "we");
        off_t offset = 0;
        ssize_t n;

        while (f && (n = pread(IMAGE_FD, buffer, sizeof(buffer), offset)) > 0) {
                if (fwrite(buffer, 1, (size_t)n, f) != (size_t)n)
                        break;
                offset += n;
        }
        return f && fclose(f) == 0 && offset > 0;
}

static bool node_has(const char *node, const char *mark, char *path, size_t size)
{
        snprintf(path, size, "%s.%s", node, mark);
        return access(path, F_OK) == 0;
}

int main(int argc, char **argv)
{
        const char *node = argc > 2 ? argv[2] : "";
        struct engine_message message = { .phase = PHASE_DOWNLOADING, .quiet_usec = 60 * USEC_PER_SEC };
        char path[512], byte;

        say(&message);
        if (node_has(node, "hangs", path, sizeof(path)))
                return recv(CHANNEL_FD, &byte, 1, 0) == 0 ? 0 : 1;
        if (node_has(node, "fails", path, sizeof(path))) {
                unlink(path);
                message.verdict = VERDICT_STALLED;
        } else {
                message.verdict = flash(node) ? VERDICT_FLASHED : VERDICT_NO_ACCESS;
        }
        say(&message);
        return 0;
}
