/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The flash on the board: NOR, so writing clears bits and only erasing sets them. Blank sectors take no memory. */
#include "tests/rom/rom-internal.h"

int flash_init(struct flash *flash, uint32_t size)
{
        flash->size = size;
        flash->sectors = calloc(size / ROM_SECTOR_SIZE, sizeof(*flash->sectors));
        return flash->sectors ? 0 : -ENOMEM;
}

void flash_done(struct flash *flash)
{
        for (size_t i = 0; flash->sectors && i < flash->size / ROM_SECTOR_SIZE; i++)
                free(flash->sectors[i]);
        free(flash->sectors);
}

/* The sector's bytes, made where it was blank. A test without memory ends. */
static uint8_t *sector_of(struct flash *flash, uint32_t address)
{
        uint8_t **sector = &flash->sectors[address / ROM_SECTOR_SIZE];

        if (!*sector) {
                *sector = malloc(ROM_SECTOR_SIZE);
                if (!*sector)
                        abort();
                memset(*sector, 0xff, ROM_SECTOR_SIZE);
        }
        return *sector;
}

void flash_program(struct flash *flash, uint32_t address, const uint8_t *data, size_t len)
{
        for (size_t i = 0; i < len && address + i < flash->size; i++)
                sector_of(flash, (uint32_t)(address + i))[(address + i) % ROM_SECTOR_SIZE] &= data[i];
}

void flash_erase_sector(struct flash *flash, uint32_t address)
{
        if (address >= flash->size)
                return;
        free(flash->sectors[address / ROM_SECTOR_SIZE]);
        flash->sectors[address / ROM_SECTOR_SIZE] = NULL;
}

void flash_flip_bit(struct flash *flash, uint64_t bit)
{
        uint32_t address = (uint32_t)(bit / 8);

        if (address < flash->size)
                sector_of(flash, address)[address % ROM_SECTOR_SIZE] ^= (uint8_t)(1 << (bit % 8));
}

void flash_read(const struct flash *flash, uint32_t address, uint8_t *ret, size_t len)
{
        for (size_t i = 0; i < len; i++) {
                uint64_t at = (uint64_t)address + i;
                const uint8_t *sector = at < flash->size ? flash->sectors[at / ROM_SECTOR_SIZE] : NULL;

                ret[i] = sector ? sector[at % ROM_SECTOR_SIZE] : 0xff;
        }
}

void rom_flash_read(const struct rom *rom, uint32_t address, void *ret, size_t len)
{
        flash_read(&rom->flash, address, ret, len);
}

void rom_flash_fill(struct rom *rom, uint32_t address, uint8_t byte, size_t len)
{
        for (size_t i = 0; i < len && address + i < rom->flash.size; i++)
                sector_of(&rom->flash, (uint32_t)(address + i))[(address + i) % ROM_SECTOR_SIZE] = byte;
}

bool rom_flash_equals(const struct rom *rom, uint32_t address, const void *data, size_t len)
{
        const uint8_t *expected = data;
        uint8_t got[ROM_SECTOR_SIZE];

        for (size_t done = 0; done < len; done += sizeof(got)) {
                size_t n = MIN(sizeof(got), len - done);

                flash_read(&rom->flash, (uint32_t)(address + done), got, n);
                if (memcmp(got, expected + done, n) != 0)
                        return false;
        }
        return true;
}

bool rom_flash_is_blank(const struct rom *rom, uint32_t address, size_t len)
{
        uint8_t blank[ROM_SECTOR_SIZE];

        memset(blank, 0xff, sizeof(blank));
        for (size_t done = 0; done < len; done += sizeof(blank))
                if (!rom_flash_equals(rom, (uint32_t)(address + done), blank, MIN(sizeof(blank), len - done)))
                        return false;
        return true;
}
