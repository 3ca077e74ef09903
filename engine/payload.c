/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/payload.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "core/dfu-suffix.h"

#define WANTED_SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

/* Offsets in the suffix; its CRC was checked by who sealed the file. */
enum {
        SUFFIX_PID = 2,
        SUFFIX_VID = 4,
};

static int refuse(char *message, const char *why)
{
        snprintf(message, PAYLOAD_MESSAGE_MAX, "image: %s", why);
        return 1;
}

int payload_map(int fd, struct payload *ret, char message[static PAYLOAD_MESSAGE_MAX])
{
        struct payload payload = { 0 };
        struct stat st;
        int seals = fcntl(fd, F_GET_SEALS);

        if (seals < 0 || (seals & WANTED_SEALS) != WANTED_SEALS)
                return refuse(message, "expected a memfd sealed against writing, growing and shrinking");
        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_size <= DFU_SUFFIX_SIZE || (uint64_t)st.st_size > IMAGE_SIZE_MAX)
                return refuse(message, "expected 17 bytes to 64 MiB");
        payload.file_size = (size_t)st.st_size;
        payload.size = payload.file_size - DFU_SUFFIX_SIZE;
        /* Shared it is refused by Linux before 6.7, for it is sealed against writing. One copy in memory either way. */
        payload.data = mmap(NULL, payload.file_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (payload.data == MAP_FAILED)
                return -errno;
        *ret = payload;
        return 0;
}

void payload_plan(struct payload *payload, char message[static PAYLOAD_MESSAGE_MAX])
{
        struct fault fault;

        payload->is_archive = erase_plan_make(payload->data, payload->size, &payload->plan, &fault) == 0;
        /* Not the ROM's; a device of another kind may want it. */
        if (!payload->is_archive)
                snprintf(message, PAYLOAD_MESSAGE_MAX, "image is no archive that the ROM takes: %.*s",
                         PAYLOAD_MESSAGE_MAX - 48, fault.text);
}

void payload_unmap(struct payload *payload)
{
        if (payload->data)
                munmap((void *)payload->data, payload->file_size);
        payload->data = NULL;
}

bool payload_is_for(const struct payload *payload, const struct usb_device_ids *ids)
{
        const uint8_t *suffix = payload->data + payload->size;
        uint16_t vid = read_le16(suffix + SUFFIX_VID), pid = read_le16(suffix + SUFFIX_PID);

        return (vid == DFU_ID_ANY || vid == ids->vid) && (pid == DFU_ID_ANY || pid == ids->pid);
}
