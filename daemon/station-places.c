/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is flashed now and who waits: the slots as core/places.h wants them, and what it answers carried out. */
#include "daemon/station-internal.h"

#include "core/places.h"
#include "daemon/log.h"

/* What boards that wait are told; made when the first one is. */
struct texts {
        char station[PLACE_TEXT_MAX];
        char hubs[CONFIG_HUBS_MAX][PLACE_TEXT_MAX];
};

size_t station_n_running(const struct station *station)
{
        size_t n = 0;

        for (size_t i = 0; i < station->n_slots; i++)
                n += slot_is_running(station->slots[i]);
        return n;
}

/* Room for every slot; the slots are not many, and come one by one. */
static struct place_want *wants_room(struct station *station)
{
        struct place_want *wants;

        if (station->n_wants >= station->n_slots)
                return station->wants;
        wants = reallocarray(station->wants, station->n_slots, sizeof(*wants));
        if (!wants)
                return NULL;
        station->wants = wants;
        station->n_wants = station->n_slots;
        return wants;
}

static size_t count_and_collect(const struct station *station, struct places *places,
                                struct place_want *wants)
{
        size_t n = 0;

        for (size_t i = 0; i < station->n_slots; i++) {
                struct slot *slot = station->slots[i];
                struct place_want want = { .hubs = slot_hubs(slot), .who = slot };

                if (slot_is_running(slot))
                        places_take(places, want.hubs);
                else if (slot_wants_place(slot, &want.ticket))
                        wants[n++] = want;
        }
        return n;
}

static const char *wait_text(const struct station *station, const struct place_answer *answer,
                             struct texts *texts)
{
        char *text = answer->type == PLACE_HUB_FULL ? texts->hubs[answer->hub] : texts->station;

        if (text[0] == '\0')
                place_answer_text(text, station->config, answer);
        return text;
}

static void carry_out(struct station *station, const struct place_want *wants, size_t n)
{
        struct texts texts;

        texts.station[0] = '\0';
        for (size_t i = 0; i < station->config->n_hubs; i++)
                texts.hubs[i][0] = '\0';
        for (size_t i = 0; i < n; i++) {
                if (station->world.stopping)
                        slot_keep_waiting(wants[i].who, "waits: espdfud is being stopped");
                else if (wants[i].answer.type == PLACE_GIVEN)
                        slot_give_place(wants[i].who);
                else
                        slot_keep_waiting(wants[i].who, wait_text(station, &wants[i].answer, &texts));
        }
}

static void give_places(struct station *station)
{
        struct place_want *wants = wants_room(station);
        struct places places;
        size_t n;

        if (!wants) {
                if (station->n_slots > 0)
                        log_error("no place can be given: out of memory");
                return;
        }
        places_init(&places, station->config);
        n = count_and_collect(station, &places, wants);
        places_give(&places, wants, n);
        carry_out(station, wants, n);
}

static bool all_is_recorded(const struct station *station)
{
        for (size_t i = 0; i < station->n_slots; i++)
                if (slot_is_running(station->slots[i]) && !slot_is_stuck(station->slots[i]))
                        return false;
        return true;
}

/* Boards that came while their image could not be used, half copied perhaps, are looked at again. */
static void reconsider_unusable(struct station *station)
{
        station->policy_mended = false;
        for (size_t i = 0; i < station->n_slots; i++)
                if (slot_phase(station->slots[i]) == PHASE_UNUSABLE)
                        slot_reconsider(station->slots[i]);
}

static int on_places(sd_event_source *source, void *userdata)
{
        struct station *station = userdata;

        (void)source;
        if (station->policy_mended)
                reconsider_unusable(station);
        for (size_t i = 0; i < station->n_slots; i++)
                slot_reunite(station->slots[i]);
        give_places(station);
        station_tell_systemd(station);
        if (station->world.stopping && all_is_recorded(station))
                sd_event_exit(station->world.event, 0);
        return 0;
}

/* Later in the loop: whoever calls stands in the middle of a slot. */
void station_places_changed(void *userdata)
{
        struct station *station = userdata;

        sd_event_source_set_enabled(station->places, SD_EVENT_ONESHOT);
}

void station_board_data_changed(void *userdata)
{
        struct station *station = userdata;

        for (size_t i = 0; i < station->n_slots; i++)
                slot_data_changed(station->slots[i]);
        station_places_changed(station);
}

int station_open_places(struct station *station)
{
        int r = sd_event_add_defer(station->world.event, &station->places, on_places, station);

        if (r >= 0)
                r = sd_event_source_set_enabled(station->places, SD_EVENT_OFF);
        return MIN(r, 0);
}
