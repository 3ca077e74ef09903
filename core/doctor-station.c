/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The checks of the station: whether its daemon answers, and what it says of itself and of its slots. */
#include "core/doctor-internal.h"

static const struct doctor_place everywhere = { 0 };

static bool is_masked(const struct doctor_facts *f)
{
        return f->service == DOCTOR_FILE_MASKED || f->socket_unit == DOCTOR_FILE_MASKED;
}

/* Where it is masked or not there at all, that is the finding. */
void find_daemon_absent(struct examination *e)
{
        const struct doctor_facts *f = e->facts;

        if (f->daemon == DOCTOR_DAEMON_ABSENT && !is_masked(f) && f->service != DOCTOR_FILE_ABSENT)
                doctor_find(e, &everywhere, "%s", f->daemon_fault);
}

void find_daemon_refuses(struct examination *e)
{
        if (e->facts->daemon == DOCTOR_DAEMON_REFUSES)
                doctor_find(e, &everywhere, "%s", e->facts->daemon_fault);
}

void find_daemon_silent(struct examination *e)
{
        if (e->facts->daemon == DOCTOR_DAEMON_SILENT)
                doctor_find(e, &everywhere, "%s", e->facts->daemon_fault);
}

/* ---- what it says of itself ---- */

void find_config_refused(struct examination *e)
{
        if (e->facts->station && e->facts->station->config_error)
                doctor_find(e, &everywhere, "%s", e->facts->station->config_error);
}

void find_ledger_trouble(struct examination *e)
{
        if (e->facts->station && e->facts->station->ledger_trouble)
                doctor_find(e, &everywhere, "%s", e->facts->station->ledger_trouble);
}

void find_consumer_lags(struct examination *e)
{
        if (e->facts->station && e->facts->station->lagging)
                doctor_find(e, &everywhere, "%s", e->facts->station->lagging);
}

void find_station_held(struct examination *e)
{
        if (e->facts->station && e->facts->station->held)
                doctor_find(e, &everywhere, "%s", e->facts->station->held);
}

void find_no_policies(struct examination *e)
{
        if (e->facts->station && e->facts->station->n_policies == 0)
                doctor_find(e, &everywhere, "its configuration has none");
}

/* ---- what it says of its slots ---- */

/* The node of the device that is in the slot, or NULL. */
static const char *node_of(const struct doctor_facts *facts, const struct slot_status *slot)
{
        for (size_t i = 0; i < facts->n_devices; i++)
                if (streq_ptr(facts->devices[i].port, slot->port))
                        return facts->devices[i].node;
        return NULL;
}

/* One finding for each slot that is so. otherwise: what is said where the slot says nothing. */
static void find_slots(struct examination *e, bool (*is_so)(const struct slot_status *slot),
                       const char *otherwise)
{
        const struct station_status *station = e->facts->station;

        for (size_t i = 0; station && i < station->n_slots; i++) {
                const struct slot_status *slot = &station->slots[i];
                const char *last = slot->phase == PHASE_FAILED ? slot->last_message : NULL;
                struct doctor_place place = { slot->slot, slot->port, node_of(e->facts, slot) };

                if (is_so(slot))
                        doctor_find(e, &place, "%s", slot->message ? slot->message : last ? last : otherwise);
        }
}

static bool is_held(const struct slot_status *slot)
{
        return slot->phase == PHASE_HELD;
}

/* Boards of a station that is held are not told one by one. */
void find_slot_held(struct examination *e)
{
        if (e->facts->station && !e->facts->station->held)
                find_slots(e, is_held, "held");
}

static bool has_no_policy(const struct slot_status *slot)
{
        return slot->phase == PHASE_NO_POLICY;
}

void find_no_policy(struct examination *e)
{
        if (e->facts->station && e->facts->station->n_policies > 0)
                find_slots(e, has_no_policy, "no policy is for the board in it");
}

/* What core/policy-image.c and the engine say of an image that is made for something else. */
static bool is_for_another_chip(const char *text)
{
        return text && (strstr(text, "made for ") || strstr(text, "suffix is not for "));
}

static bool is_unusable(const struct slot_status *slot)
{
        return slot->phase == PHASE_UNUSABLE ||
               (slot->phase == PHASE_FAILED && slot->last_verdict == VERDICT_IMAGE_REFUSED);
}

static bool has_other_chips_image(const struct slot_status *slot)
{
        return is_unusable(slot) &&
               (is_for_another_chip(slot->message) || is_for_another_chip(slot->last_message));
}

static bool has_unusable_image(const struct slot_status *slot)
{
        return is_unusable(slot) && !has_other_chips_image(slot);
}

/* Where a board waits for it, that is told of its slot. */
static bool is_awaited(const struct station_status *station, const struct policy_status *policy)
{
        for (size_t i = 0; i < station->n_slots; i++)
                if (is_unusable(&station->slots[i]) && streq_ptr(station->slots[i].policy, policy->name))
                        return true;
        return false;
}

static void find_policies(struct examination *e, bool other_chips)
{
        const struct station_status *station = e->facts->station;

        for (size_t i = 0; station && i < station->n_policies; i++) {
                const struct policy_status *policy = &station->policies[i];

                if (policy->unusable && is_for_another_chip(policy->unusable) == other_chips &&
                    !is_awaited(station, policy))
                        doctor_find(e, &everywhere, "policy %s: %s", policy->name, policy->unusable);
        }
}

void find_image_other_chip(struct examination *e)
{
        find_slots(e, has_other_chips_image, "the image is refused");
        find_policies(e, true);
}

void find_image_unusable(struct examination *e)
{
        find_slots(e, has_unusable_image, "the image is refused");
        find_policies(e, false);
}

static bool is_busy(const struct slot_status *slot)
{
        return slot->phase == PHASE_FAILED && slot->last_verdict == VERDICT_BUSY;
}

void find_interface_busy(struct examination *e)
{
        find_slots(e, is_busy, "the DFU interface is taken");
}

static bool is_stuck(const struct slot_status *slot)
{
        return slot->phase == PHASE_STUCK;
}

void find_slot_stuck(struct examination *e)
{
        find_slots(e, is_stuck, "an engine that was killed does not end");
}

static bool has_failed(const struct slot_status *slot)
{
        return slot->phase == PHASE_FAILED && !is_busy(slot) && !is_unusable(slot);
}

void find_slot_failed(struct examination *e)
{
        find_slots(e, has_failed, "no attempt is left");
}
