/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What one board alone gets: its file is chosen, put into the image and recorded, attempt by attempt. */
#include "daemon/slot-internal.h"

#include <stdio.h>

#include "daemon/log.h"

int slot_data_begin(struct slot *slot, const struct config_policy *policy)
{
        slot_data_done(slot);
        slot->data.address = policy->board_data_address;
        return free_and_strdup(&slot->data.folder, policy->board_data);
}

const char *slot_data_why_not(const struct slot *job, const struct config_policy *policy, char *text,
                              size_t size)
{
        const struct slot_data *data = &job->data;

        if (!data->folder && !policy->board_data)
                return NULL;
        if (!data->folder)
                snprintf(text, size, "came back, and policy %s says board-data now", policy->name);
        else if (!policy->board_data)
                snprintf(text, size, "came back, and policy %s says no board-data any more", policy->name);
        else if (data->address != policy->board_data_address || !streq(data->folder, policy->board_data))
                snprintf(text, size, "came back, and policy %s has another board-data now", policy->name);
        else
                return NULL;
        return text;
}

static void drop_composed(struct slot *slot)
{
        struct composed_store *store = &slot->world->composed;

        if (!slot->data.composed)
                return;
        slot->data.composed = composed_free(slot->data.composed);
        if (store->wanted)
                board_data_poke(slot->world->board_data);
        store->wanted = false;
}

/* What is not the board's in the ledger is nobody's any more. */
static void give_back(struct slot *slot)
{
        struct slot_data *data = &slot->data;

        if (!data->file || data->committed)
                return;
        board_data_release(slot->world->board_data, slot->job_id);
        (void)free_and_strdup(&data->file, NULL);
}

void slot_data_stepped(struct slot *slot)
{
        const struct job *job = &slot->job;

        if (!job_is_running(job))
                drop_composed(slot);
        /* Without an image nothing is on its way to the ledger either that would make the file the board's. */
        if (!slot->data.composed && (job->cancelled || job->state == JOB_ENDED))
                give_back(slot);
}

void slot_data_done(struct slot *slot)
{
        struct slot_data *data = &slot->data;

        drop_composed(slot);
        give_back(slot);
        free(data->file);
        free(data->folder);
        *data = (struct slot_data){ 0 };
}

void slot_data_move(struct slot *from, struct slot *to)
{
        slot_data_done(to);
        to->data = from->data;
        from->data = (struct slot_data){ 0 };
}

void slot_data_changed(struct slot *slot)
{
        slot->data.waits = false;
}

/* ---- before an attempt ---- */

/* But for the count at its end: a hundred boards that wait are not news with each file that comes. */
static bool is_news(const char *text, const char *before)
{
        size_t n = strcspn(text, "(");

        return !before || strncmp(text, before, n) != 0;
}

/* Why an attempt has to wait; negative: it cannot be opened. */
enum {
        WAITS_FOR_A_PERSON = 1, /* to do something about its folder or its file */
        WAITS_FOR_ROOM,
        WAITS_FOR_THE_FOLDER, /* until it was read */
        WAITS_FOR_ITS_TURN,
};

static void wait_for(struct slot *slot, const char *policy, const char *why)
{
        _cleanup_(freep) char *text = NULL;

        if (asprintf(&text, "%s%s%s%s", policy ? "policy " : "", policy ? policy : "", policy ? ": " : "",
                     why) < 0)
                text = NULL;
        slot->data.waits = true;
        if (text && is_news(text, slot->waits))
                log_slot(LOG_WARNING, slot->name, slot->job_id, NULL, "%s", text);
        slot_keep_waiting(slot, text);
}

static struct board_data_want want_of(const struct slot *slot, const char *folder)
{
        bool has_one = slot->data.file && streq_ptr(slot->data.folder, folder);

        return (struct board_data_want){
                .folder = folder,
                .file = has_one ? slot->data.file : NULL,
                .sha256 = slot->data.sha256,
                .job = slot->job_id,
                .mac = slot->board->mac,
                .presence = slot_presence(slot),
                .dfu_mode = slot->board->dfu.dfu_mode,
        };
}

/* Remembers which file it is: the attempts to come get no other. */
static int note_file(struct slot *slot, const struct board_data_file *file)
{
        slot->data.len = file->len;
        memcpy(slot->data.sha256, file->sha256, sizeof(slot->data.sha256));
        return free_and_strdup(&slot->data.file, file->path);
}

/* It does not go into the image: where it is nobody's yet, it is nobody's again. */
static int refuse(struct slot *slot, const struct board_data_file *file, char **why)
{
        _cleanup_(freep) char *fault = *why;

        *why = NULL;
        if (!slot->data.committed) {
                board_data_refuse(slot->world->board_data, slot->job_id);
                (void)free_and_strdup(&slot->data.file, NULL);
        }
        if (asprintf(why, "%s: %s", file->path, fault) < 0) {
                *why = NULL;
                return -ENOMEM;
        }
        return WAITS_FOR_A_PERSON;
}

/* As board_data_take(). */
static int take(struct slot *slot, struct board_data_file *ret, char **ret_why)
{
        struct board_data_want want = want_of(slot, slot->data.folder);
        int r = board_data_take(slot->world->board_data, &want, ret, ret_why);

        if (r != BOARD_DATA_WAITS || !slot->data.file || slot->data.committed)
                return r;
        /* What it chose before is nobody's yet, and no good any more: another one. */
        (void)free_and_strdup(ret_why, NULL);
        board_data_refuse(slot->world->board_data, slot->job_id);
        (void)free_and_strdup(&slot->data.file, NULL);
        want.file = NULL;
        return board_data_take(slot->world->board_data, &want, ret, ret_why);
}

/* Of composed_make() and composed_may_make(), but for COMPOSED_REFUSED. */
static int waits_for(int composed)
{
        return composed == COMPOSED_FULL    ? WAITS_FOR_ROOM
               : composed == COMPOSED_LATER ? WAITS_FOR_ITS_TURN
                                            : composed;
}

/* 0, why it waits with *ret_why (but for its turn), or a negative errno. Nothing is read or claimed before its turn. */
static int prepare(struct slot *slot, char **ret_why)
{
        _cleanup_(board_data_file_done) struct board_data_file file = { 0 };
        struct slot_world *world = slot->world;
        struct slot_data *data = &slot->data;
        int r = composed_may_make(&world->composed, world->event, slot->image, data->file ? data->len : 0,
                                  ret_why);

        if (r != 0)
                return waits_for(r);
        r = take(slot, &file, ret_why);
        if (r > 0)
                return r == BOARD_DATA_LATER ? WAITS_FOR_THE_FOLDER : WAITS_FOR_A_PERSON;
        if (r == 0)
                r = note_file(slot, &file);
        if (r < 0)
                return r;
        r = composed_make(&world->composed, world->event, slot->image, data->address, file.data, file.len,
                          &data->composed, ret_why);
        return r == COMPOSED_REFUSED ? refuse(slot, &file, ret_why) : waits_for(r);
}

bool slot_data_prepare(struct slot *slot)
{
        _cleanup_(freep) char *why = NULL;
        struct slot_data *data = &slot->data;

        if (!data->folder || data->composed)
                return true;
        data->r = prepare(slot, &why);
        switch (data->r) {
        case WAITS_FOR_A_PERSON:
                wait_for(slot, slot->policy, why);
                return false;
        case WAITS_FOR_ROOM:
                wait_for(slot, NULL, why);
                return false;
        case WAITS_FOR_THE_FOLDER: /* not for long, and nothing that anybody need do something about */
                data->waits = true;
                slot_keep_waiting(slot, why);
                return false;
        case WAITS_FOR_ITS_TURN:
                slot->world->places_changed(slot->world->userdata);
                return false;
        }
        return true; /* a negative r is told as an attempt's that cannot be opened, and tried again like one */
}

/* ---- the ledger ---- */

static struct board_data_row row_of(const struct slot *slot)
{
        struct presence_key presence = slot_presence(slot);

        return (struct board_data_row){
                .file = slot->data.file,
                .folder = slot->data.folder,
                .sha256 = (char *)slot->data.sha256,
                .job = (char *)slot->job_id,
                .mac = (char *)slot->board->mac,
                .slot = slot->name,
                .policy = slot->policy,
                .boot_id = (char *)presence.boot_id,
                .path = (char *)presence.path,
                .devnum = presence.devnum,
                .initialized_usec = presence.initialized_usec,
                .assigned_realtime_usec = clock_realtime_usec(),
        };
}

static void note_stay(struct slot *slot, const struct board_data_row *row)
{
        slot->data.devnum = row->devnum;
        slot->data.initialized_usec = row->initialized_usec;
}

int slot_data_open_row(struct slot *slot, const struct attempt_record *record, ledger_done_t done)
{
        struct board_data_row row = row_of(slot);
        struct presence_note note;

        if (slot->data.r < 0)
                return slot->data.r;
        note_stay(slot, &row);
        return ledger_attempt_open_with_data(slot->world->ledger, record, slot->data.composed ? &row : NULL,
                                             slot_flash_note(slot, &note) ? &note : NULL, done, slot);
}

const char *slot_data_row_opened(struct slot *slot, int r)
{
        struct slot_data *data = &slot->data;

        data->r = 0;
        if (!data->composed)
                return NULL;
        if (r == 0) {
                data->committed = true;
                board_data_commit(slot->world->board_data, slot->job_id);
        }
        if (r != -EEXIST)
                return NULL;
        board_data_refuse(slot->world->board_data, slot->job_id);
        (void)free_and_strdup(&data->file, NULL);
        data->committed = false;
        return "the ledger gave its board data to another board meanwhile";
}

void slot_data_note_presence(struct slot *slot)
{
        struct board_data_row row = row_of(slot);
        int r;

        /* A MAC stays, whatever the stay. */
        if (!slot->data.committed || slot->board->mac ||
            (slot->data.devnum == row.devnum && slot->data.initialized_usec == row.initialized_usec))
                return;
        note_stay(slot, &row);
        r = ledger_data_moved(slot->world->ledger, &row);
        if (r < 0)
                log_slot(LOG_WARNING, slot->name, slot->job_id, NULL,
                         "ledger cannot note that the board came back from DETACH: %s", strerror(-r));
}

int slot_data_image_fd(const struct slot *slot)
{
        if (!slot->data.folder)
                return slot->image->fd;
        return slot->data.composed ? slot->data.composed->fd : -EBADF;
}

/* ---- explain ---- */

static const struct config_policy *policy_called(const struct config *config, const char *name)
{
        for (size_t i = 0; i < config->n_policies; i++)
                if (streq(config->policies[i].name, name))
                        return &config->policies[i];
        return NULL;
}

static int add_sentence(char **message, const char *what, const char *text)
{
        _cleanup_(freep) char *before = *message;

        if (asprintf(message, "%s%s%s%s", before ? before : "", before ? "; " : "", what, text) >= 0)
                return 0;
        *message = NULL;
        return -ENOMEM;
}

int slot_data_explain(const struct slot *slot, const char *name, char **message)
{
        const struct config_policy *policy = policy_called(slot->world->config, name);
        _cleanup_(freep) char *path = NULL, *why = NULL;
        struct board_data_want want;
        int r;

        if (!policy || !policy->board_data || job_is_running(&slot->job))
                return 0;
        want = want_of(slot, policy->board_data);
        r = board_data_peek(slot->world->board_data, &want, &path, &why);
        if (r > 0 && *message && strstr(*message, why))
                return 0; /* it waits for this, and says so */
        return r < 0 ? add_sentence(message, "board data is not known: ", strerror(-r))
                     : add_sentence(message, "board data: ", r == 0 ? path : why);
}
