/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/erase-plan.h"

#include "core/cpio.h"
#include "core/dfuinfo.h"

#define RAW_DOWNLOAD_MAX                                                                                     \
        231 /* bytes: the ROM writes this much, and whatever is no CPIO, raw to flash address 0 */

static size_t whole_sectors(size_t bytes)
{
        return (bytes + FLASH_SECTOR_SIZE - 1) / FLASH_SECTOR_SIZE * FLASH_SECTOR_SIZE;
}

static int plan_member(struct erase_plan *plan, const struct cpio_member *member, struct fault *fault)
{
        if (plan->n_items == ARRAY_SIZE(plan->items))
                return fault_set(fault, member->header, "more than %d members: expected at most that many",
                                 IMAGE_RECORDS_MAX + 1);
        plan->items[plan->n_items].offset = member->offset;
        plan->items[plan->n_items].bytes = whole_sectors(member->size);
        plan->n_items++;
        plan->flash_bytes += member->size;
        return 0;
}

int erase_plan_make(const uint8_t *archive, size_t len, struct erase_plan *ret, struct fault *fault)
{
        struct cursor c = cursor_over(archive, len);
        struct erase_plan plan = { 0 };
        struct cpio_member member;
        int r;

        if (len <= RAW_DOWNLOAD_MAX)
                return fault_set(fault, 0, "%zu bytes: expected more than %d, else the chip writes them raw",
                                 len, RAW_DOWNLOAD_MAX);
        r = cpio_next(&c, &member, fault);
        if (r != 0)
                return r;
        if (!streq(member.name, DFUINFO_NAME))
                return fault_set(fault, 0, "first member is not %s", DFUINFO_NAME);
        for (;;) {
                r = cpio_next(&c, &member, fault);
                if (r != 0)
                        return r;
                if (member.is_trailer)
                        break;
                r = plan_member(&plan, &member, fault);
                if (r != 0)
                        return r;
        }
        *ret = plan;
        return 0;
}

size_t erase_plan_bytes(const struct erase_plan *plan, size_t offset, size_t len)
{
        size_t bytes = 0;

        for (size_t i = 0; i < plan->n_items; i++)
                if (plan->items[i].offset >= offset && plan->items[i].offset - offset < len)
                        bytes += plan->items[i].bytes;
        return bytes;
}
