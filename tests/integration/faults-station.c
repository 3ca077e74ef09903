/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What strikes all boards at once, each at its own moment: a hub that goes, a daemon that is killed, a disk that is full.
 * Each board's answer is held back when its moment has come; when all are there, the deed is done.
 */
#include "tests/integration/faults.h"

#include <glib/gstdio.h>

#define HUB       "3-1" /* with the eight boards that an engine is at */
#define OTHER_HUB "3-2" /* with those before and after */

static bool is_before_or_after(const struct fault_cell *cell)
{
        return cell->moment == BEFORE_DETACH || cell->moment == AFTER_VERDICT;
}

static bool fills_disk(const struct fault_cell *cell)
{
        return cell->row->deed == DEED_FILL_DISK;
}

/* ---- each to its moment ---- */

static bool has_come_to_its_moment(struct faults *f, const struct fault_cell *cell)
{
        const struct slot_status *slot = slot_of(&f->line, cell->port);

        if (!cell->board)
                return true;
        if (cell->moment == AFTER_VERDICT)
                return slot && slot->phase == PHASE_FLASHED;
        if (fills_disk(cell) && cell->moment == BEFORE_DETACH)
                return slot && slot->message && strstr(slot->message, "waits: ");
        return rom_counters(bed_rom(cell->board))->strikes > 0;
}

static bool all_have_come(void *userdata)
{
        struct faults *f = userdata;

        for (size_t i = 0; i < f->n_now; i++)
                if (!has_come_to_its_moment(f, f->now[i]))
                        return false;
        return true;
}

static void wait_for(struct faults *f, const char *what, bool (*condition)(void *userdata))
{
        if (!bed_wait(f->line.bed, condition, f, PATIENCE))
                faults_wrong(f, "waited in vain: %s", what);
}

static void plug_those_at(struct faults *f, enum fault_moment from, enum fault_moment to)
{
        for (size_t i = 0; i < f->n_now; i++) {
                struct rom_fault fault;

                if (f->now[i]->moment < from || f->now[i]->moment > to)
                        continue;
                faults_plug(f, f->now[i], fault_of_cell(f, f->now[i], &fault) ? &fault : NULL);
        }
        wait_for(f, "all boards at their moments", all_have_come);
}

/* The one whose verdict has come first, the one that is held for no more than libusb waits last. */
static void bring_all_to_their_moments(struct faults *f)
{
        plug_those_at(f, AFTER_VERDICT, AFTER_VERDICT);
        plug_those_at(f, IN_DETACH, VERIFICATION);
        if (!fills_disk(f->now[0]))
                plug_those_at(f, BEFORE_DETACH, BEFORE_DETACH);
}

/* ---- the deeds ---- */

static bool engines_have_noticed(void *userdata)
{
        struct faults *f = userdata;

        for (size_t i = 0; i < f->n_now; i++) {
                const struct slot_status *slot = slot_of(&f->line, f->now[i]->port);

                if (slot && (slot->phase == PHASE_DOWNLOADING || slot->phase == PHASE_VERIFYING))
                        return false;
        }
        return true;
}

static void pull_hub(struct faults *f)
{
        for (size_t i = 0; i < f->n_now; i++)
                bed_pull(f->now[i]->board);
        bed_pull_hub(f->line.bed, HUB);
        bed_pull_hub(f->line.bed, OTHER_HUB);
        wait_for(f, "all engines at their ends", engines_have_noticed);
        bed_plug_hub(f->line.bed, HUB, 8);
        bed_plug_hub(f->line.bed, OTHER_HUB, 8);
        for (size_t i = 0; i < f->n_now; i++)
                bed_replug(f->now[i]->board, NULL);
}

/* full-disk.c looks at it. */
static void let_disk_be_full(struct faults *f, bool full)
{
        g_autofree char *sign = line_path(&f->line, "disk-is-full");

        if (full)
                assert_true(g_file_set_contents(sign, "", 0, NULL));
        else
                assert_int_equal(g_unlink(sign), 0);
}

static bool all_are_flashed_and_it_is_told_why_they_wait(void *userdata)
{
        struct faults *f = userdata;

        for (size_t i = 0; i < f->n_now; i++)
                if (f->now[i]->moment != BEFORE_DETACH &&
                    rom_counters(bed_rom(f->now[i]->board))->completed == 0)
                        return false;
        return f->line.status.station.ledger_trouble != NULL;
}

static bool is_flashed(struct faults *f, const struct fault_cell *cell)
{
        const struct slot_status *slot = slot_of(&f->line, cell->port);

        return slot && slot->phase == PHASE_FLASHED;
}

static void fill_disk(struct faults *f)
{
        let_disk_be_full(f, true);
        for (size_t i = 0; i < f->n_now; i++)
                if (f->now[i]->moment != AFTER_VERDICT && is_flashed(f, f->now[i]))
                        fault_is_wrong(f->now[i], "its moment had passed when the disk was full");
        plug_those_at(f, BEFORE_DETACH, BEFORE_DETACH);
        wait_for(f, "the ledger's trouble", all_are_flashed_and_it_is_told_why_they_wait);
        for (size_t i = 0; i < f->n_now; i++)
                if (f->now[i]->moment != AFTER_VERDICT && is_flashed(f, f->now[i]))
                        fault_is_wrong(f->now[i], "it is told to be flashed, and is not in the ledger");
        let_disk_be_full(f, false);
}

static void strike_all(struct faults *f)
{
        switch (f->now[0]->row->deed) {
        case DEED_PULL_HUB:
                pull_hub(f);
                break;
        case DEED_KILL_DAEMON:
                kill_daemon(&f->line);
                start_daemon(&f->line);
                break;
        case DEED_FILL_DISK:
                fill_disk(f);
                break;
        case DEED_NONE:
        case DEED_ANOTHER:
        case DEED_OTHER_CHIP:
        case DEED_KILL_ENGINE:
        case DEED_STOP_ENGINE:
                g_assert_not_reached();
        }
}

void faults_play_station(struct faults *f, struct fault_cell **cells, size_t n)
{
        uint64_t struck_usec;

        faults_begin_line(f);
        f->now = cells;
        f->n_now = n;
        bed_plug_hub(f->line.bed, HUB, 8);
        bed_plug_hub(f->line.bed, OTHER_HUB, 8);
        for (size_t i = 0; i < n; i++)
                g_snprintf(cells[i]->port, sizeof(cells[i]->port), "%s.%u",
                           is_before_or_after(cells[i]) ? OTHER_HUB : HUB,
                           is_before_or_after(cells[i]) ? cells[i]->moment % 8 + 1 : cells[i]->moment);
        /* A neighbour notices a daemon that is killed as well as anybody. */
        faults_plug_good(f, cells[0]->row->deed == DEED_PULL_HUB ? 3 : 0);
        bring_all_to_their_moments(f);
        struck_usec = (uint64_t)g_get_monotonic_time();
        strike_all(f);
        for (size_t i = 0; i < n; i++) {
                cells[i]->struck_usec = fills_disk(cells[i]) ? (uint64_t)g_get_monotonic_time() : struck_usec;
                cells[i]->step = CELL_GOES_ON;
        }
        faults_finish(f);
}
