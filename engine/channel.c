/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/channel.h"

#include <sys/socket.h>

static int send_message(struct channel *channel, const struct engine_message *message, int flags)
{
        uint8_t packet[ENGINE_MESSAGE_SIZE];
        ssize_t n;

        engine_message_encode(message, packet);
        do
                n = send(channel->fd, packet, sizeof(packet), flags | MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : 0;
}

int channel_init(struct channel *channel, int fd)
{
        int type;
        socklen_t len = sizeof(type);

        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
                return -errno;
        if (type != SOCK_SEQPACKET)
                return -ENOTSOCK;
        *channel = (struct channel){ .fd = fd };
        return 0;
}

int channel_progress(struct channel *channel, const struct engine_message *message, uint64_t now_usec)
{
        bool first = channel->last_usec == 0;
        bool news = first || message->phase != channel->last.phase;
        int r;

        channel->dirty = news || message->bytes_done != channel->last.bytes_done;
        if (!channel->dirty || (!news && now_usec < channel->last_usec + CHANNEL_INTERVAL))
                return 0;
        r = send_message(channel, message, MSG_DONTWAIT);
        /* A full channel: the daemon is behind, and this is only progress. */
        if (r < 0 && r != -EAGAIN)
                return r;
        channel->last = *message;
        channel->last_usec = now_usec;
        channel->dirty = false;
        return 0;
}

uint64_t channel_deadline(const struct channel *channel)
{
        return channel->dirty ? channel->last_usec + CHANNEL_INTERVAL : USEC_INFINITY;
}

int channel_verdict(struct channel *channel, const struct engine_message *message)
{
        return send_message(channel, message, 0);
}
