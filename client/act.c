/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfuctl cancel, hold, release, retry: what people order. Each slot is a call of its own; all are tried. */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>

#include "client/act.h"
#include "client/client.h"
#include "core/holds.h"
#include "core/printable.h"
#include "core/text.h"

/* An engine has 10 s to end and 5 s to be killed, a detached board its reattach-time to come back. */
#define CANCEL_TIMEOUT (60 * USEC_PER_SEC)

static const char *const whole_station = "the station";

/* One line on stdout, of which nothing can paint: "A1: held by joe". */
static int say_of(const char *where, const char *text)
{
        _cleanup_(freep) char *place = text_escape(where);
        _cleanup_(freep) char *what = text_escape(text);

        if (!place || !what) {
                client_error("out of memory");
                return EXIT_FAILED;
        }
        printf("%s: %s\n", place, what);
        return EXIT_DONE;
}

/* One call about one slot (NULL: the station); reason may be NULL. Exit codes, with the reply's parameters in *ret. */
static int order(const char *method, const char *where, const char *reason, uint64_t timeout_usec,
                 json_t **ret)
{
        json_t *parameters = json_object();
        bool sound = parameters;

        if (sound && where)
                sound = json_object_set_new(parameters, "where", json_string(where)) == 0;
        if (sound && reason)
                sound = json_object_set_new(parameters, "reason", json_string(reason)) == 0;
        if (!sound) {
                json_decref(parameters);
                client_error("%s: expected UTF-8", where ? where : "--reason");
                return EXIT_USAGE;
        }
        return client_ask_patiently(method, parameters, timeout_usec, ret);
}

/* ---- one slot each ---- */

/* The same where the answer is the slot as it is then. */
static int order_slot(const char *method, const char *where, uint64_t timeout_usec, struct slot_status *ret)
{
        json_t *reply;
        int r = order(method, where, NULL, timeout_usec, &reply);

        if (r != EXIT_DONE)
                return r;
        r = slot_reply_from_json(reply, ret);
        json_decref(reply);
        return r < 0 ? client_misread(r) : EXIT_DONE;
}

static int cancel(const char *where, const char *reason)
{
        _cleanup_(slot_status_done) struct slot_status slot = { 0 };
        int r = order_slot(STATION_INTERFACE ".Cancel", where, CANCEL_TIMEOUT, &slot);

        (void)reason;
        if (r != EXIT_DONE)
                return r;
        if (slot.phase == PHASE_CANCELLED)
                return say_of(where, slot.message ? slot.message : "cancelled");
        client_error("%s: not cancelled: %s%s%s", where, phase_to_string(slot.phase),
                     slot.message ? ": " : "", slot.message ? slot.message : "");
        return EXIT_FAILED;
}

static int hold(const char *where, const char *reason)
{
        json_t *reply;
        const char *text;
        int r = order(STATION_INTERFACE ".Hold", where, reason, REPLY_TIMEOUT, &reply);

        if (r != EXIT_DONE)
                return r;
        text = json_string_value(json_object_get(reply, "held"));
        r = text ? say_of(where ? where : whole_station, text) : client_misread(-EPROTO);
        json_decref(reply);
        return r;
}

static int release(const char *where, const char *reason)
{
        json_t *reply, *was_held;
        int r = order(STATION_INTERFACE ".Release", where, reason, REPLY_TIMEOUT, &reply);

        if (r != EXIT_DONE)
                return r;
        was_held = json_object_get(reply, "was_held");
        if (json_is_boolean(was_held))
                r = say_of(where ? where : whole_station,
                           json_is_true(was_held) ? "released" : "was not held");
        else
                r = client_misread(-EPROTO);
        json_decref(reply);
        return r;
}

int act_begun(const char *where, const struct slot_status *slot, const char *what)
{
        if (slot->phase == PHASE_QUEUED || phase_is_running(slot->phase))
                return say_of(where, what);
        client_error("%s: not %s: %s%s%s", where, what, phase_to_string(slot->phase),
                     slot->message ? ": " : "", slot->message ? slot->message : "");
        return EXIT_FAILED;
}

static int retry(const char *where, const char *reason)
{
        _cleanup_(slot_status_done) struct slot_status slot = { 0 };
        int r = order_slot(STATION_INTERFACE ".Retry", where, REPLY_TIMEOUT, &slot);

        (void)reason;
        return r == EXIT_DONE ? act_begun(where, &slot, "started again") : r;
}

/* The worst exit code of all; without a slot one call about the station. */
static int for_each(int argc, char **argv, const char *reason, int (*run)(const char *, const char *))
{
        int worst = EXIT_DONE;

        if (optind == argc)
                return run(NULL, reason);
        for (int i = optind; i < argc; i++)
                worst = MAX(worst, run(argv[i], reason));
        return worst;
}

/* ---- the verbs ---- */

int verb_cancel(int argc, char **argv)
{
        int r = client_options(argc, argv, NULL, 0, INT_MAX);

        if (r != CLIENT_GO_ON)
                return r;
        if (optind == argc) {
                client_error("cancel: expected the slots whose jobs are to end: see espdfuctl cancel --help");
                return EXIT_USAGE;
        }
        return for_each(argc, argv, NULL, cancel);
}

int verb_hold(int argc, char **argv)
{
        const char *reason = NULL;
        const struct client_option options[] = { { "reason", .value = &reason } };
        int r = client_options(argc, argv, options, ARRAY_SIZE(options), INT_MAX);

        if (r != CLIENT_GO_ON)
                return r;
        if (reason && (strlen(reason) > HOLD_REASON_MAX || !is_printable(reason))) {
                client_error("hold: --reason: expected one line of at most %d bytes of UTF-8",
                             HOLD_REASON_MAX);
                return EXIT_USAGE;
        }
        return for_each(argc, argv, reason, hold);
}

int verb_release(int argc, char **argv)
{
        int r = client_options(argc, argv, NULL, 0, INT_MAX);

        return r == CLIENT_GO_ON ? for_each(argc, argv, NULL, release) : r;
}

int verb_retry(int argc, char **argv)
{
        int r = client_options(argc, argv, NULL, 0, INT_MAX);

        if (r != CLIENT_GO_ON)
                return r;
        if (optind == argc) {
                client_error("retry: expected the slots whose boards are to be tried again: see espdfuctl "
                             "retry --help");
                return EXIT_USAGE;
        }
        return for_each(argc, argv, NULL, retry);
}
