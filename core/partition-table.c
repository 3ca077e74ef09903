/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/partition-table.h"
#include "core/cursor.h"
#include "core/digest.h"
#include "core/printable.h"

#define ENTRY_SIZE  32
#define ENTRY_MAGIC 0x50aa
#define MD5_MAGIC   0xebeb
#define MD5_OFFSET  16
#define END_MAGIC   0xffff
#define LABEL_SIZE  16

bool partition_table_is_magic(const uint8_t *data, size_t len)
{
        return len >= ENTRY_SIZE && read_le16(data) == ENTRY_MAGIC;
}

static void read_entry(const uint8_t *entry, size_t offset, struct partition *ret)
{
        *ret = (struct partition){
                .type = entry[2],
                .subtype = entry[3],
                .address = read_le32(entry + 4),
                .size = read_le32(entry + 8),
                .offset = offset,
        };
        memcpy(ret->label, entry + 12, LABEL_SIZE);
        make_printable(ret->label);
}

static int check_md5(const uint8_t *data, size_t offset, const uint8_t *entry, struct fault *fault)
{
        uint8_t expected[MD5_SIZE];
        char found_hex[2 * MD5_SIZE + 1], expected_hex[2 * MD5_SIZE + 1];
        int r = digest_md5(data, offset, expected);

        if (r < 0 || memcmp(entry + MD5_OFFSET, expected, MD5_SIZE) == 0)
                return r;
        hex_encode(entry + MD5_OFFSET, MD5_SIZE, found_hex);
        hex_encode(expected, MD5_SIZE, expected_hex);
        return fault_set(fault, offset + MD5_OFFSET, "MD5 of the partition table is %s: expected %s",
                         found_hex, expected_hex);
}

int partition_table_read(const uint8_t *data, size_t len, struct partition_table *ret, struct fault *fault)
{
        struct cursor c = cursor_over(data, MIN(len, (size_t)PARTITION_TABLE_MAX));
        const uint8_t *entry;
        int r;

        *ret = (struct partition_table){ 0 };
        for (;;) {
                size_t offset = cursor_offset(&c);

                if (cursor_remaining(&c) == 0 && len < PARTITION_TABLE_MAX)
                        return 0; /* behind a short file is erased flash: 0xffff, the end */
                if (!cursor_take(&c, ENTRY_SIZE, &entry))
                        return fault_set(fault, offset,
                                         "partition table has no end: expected an entry of 0xff "
                                         "within %d bytes",
                                         PARTITION_TABLE_MAX);
                switch (read_le16(entry)) {
                case ENTRY_MAGIC:
                        if (ret->n_partitions == PARTITIONS_MAX)
                                return fault_set(fault, offset, "more than %d partitions", PARTITIONS_MAX);
                        read_entry(entry, offset, &ret->partitions[ret->n_partitions++]);
                        break;
                case MD5_MAGIC:
                        r = check_md5(data, offset, entry, fault);
                        if (r != 0)
                                return r;
                        ret->has_md5 = true;
                        break;
                case END_MAGIC:
                        return 0;
                default:
                        return fault_set(
                                fault, offset,
                                "entry 0x%04x in the partition table: expected 0x50aa, 0xebeb (MD5) or "
                                "0xffff (end)",
                                (unsigned)read_le16(entry));
                }
        }
}

const struct partition *partition_table_find(const struct partition_table *table, uint32_t address)
{
        for (size_t i = 0; i < table->n_partitions; i++) {
                const struct partition *p = &table->partitions[i];

                if (address >= p->address && address - p->address < p->size)
                        return p;
        }
        return NULL;
}
