/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfuctl explain: why the board in a slot is treated as it is. */
#include <stdio.h>

#include "client/client.h"
#include "core/text.h"
#include "show/table.h"

/* s, escaped, or what stands for nothing; NULL when out of memory. */
static char *shown(const char *s, const char *nothing)
{
        return text_escape(s ? s : nothing);
}

static int print_answer(const struct explain_policy *answer, int width)
{
        _cleanup_(freep) char *policy = shown(answer->policy, "");
        _cleanup_(freep) char *key = shown(answer->key, "");
        _cleanup_(freep) char *wanted = shown(answer->wanted, "nothing");
        _cleanup_(freep) char *found = shown(answer->found, "unknown");

        if (!policy || !key || !wanted || !found)
                return -ENOMEM;
        if (answer->matches)
                printf("  %-*s  matches\n", width, policy);
        else
                printf("  %-*s  no: %s is %s, the policy wants %s\n", width, policy, key, found, wanted);
        return 0;
}

static int print_explanation(const struct explanation *e)
{
        _cleanup_(freep) char *slot = shown(e->slot, "");
        _cleanup_(freep) char *port = shown(e->port, "port not seen yet");
        _cleanup_(freep) char *board = shown(e->board, e->present ? "a board" : "no board");
        _cleanup_(freep) char *phase = format_word(phase_to_string(e->phase));
        _cleanup_(freep) char *chosen = shown(e->chosen, e->message ? "" : "no policy");
        _cleanup_(freep) char *message = shown(e->message, "");
        int r = 0, width = 0;

        if (!slot || !port || !board || !phase || !chosen || !message)
                return -ENOMEM;
        printf("%s (%s): %s, %s\n", slot, port, board, phase);
        for (size_t i = 0; i < e->n_policies; i++)
                width = MAX(width, (int)MIN(strlen(e->policies[i].policy), (size_t)40));
        for (size_t i = 0; r == 0 && i < e->n_policies; i++)
                r = print_answer(&e->policies[i], width);
        if (e->present)
                printf("  so: %s%s%s\n", chosen, *chosen && *message ? ": " : "", message);
        else if (*message)
                printf("  %s\n", message);
        return r;
}

static bool has_boards(const struct explanation *explanations, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (explanations[i].present)
                        return true;
        return false;
}

/* all: nobody asked about one slot, so the policies' answers are not there. */
static int print_explanations(const json_t *parameters, bool all)
{
        struct explanation *explanations = NULL;
        size_t n = 0;
        int r;

        r = explanations_from_json(parameters, &explanations, &n);
        for (size_t i = 0; r == 0 && i < n; i++) {
                if (i > 0)
                        putchar('\n');
                r = print_explanation(&explanations[i]);
        }
        if (r == 0 && all && has_boards(explanations, n))
                puts("\nWhich policies were tried, and where each differs: espdfuctl explain SLOT");
        explanations_free(explanations, n);
        return r < 0 ? client_misread(r) : EXIT_DONE;
}

int verb_explain(int argc, char **argv)
{
        bool json = false, all;
        const struct client_option options[] = { { "json", .flag = &json } };
        json_t *parameters = NULL;
        int r;

        r = client_options(argc, argv, options, ARRAY_SIZE(options), 1);
        if (r != CLIENT_GO_ON)
                return r;
        all = argc == optind;
        if (!all) {
                parameters = json_pack("{s:s}", "where", argv[optind]);
                if (!parameters) {
                        client_error("%s: expected UTF-8", argv[optind]);
                        return EXIT_USAGE;
                }
        }
        r = client_ask(STATION_INTERFACE ".Explain", parameters, &parameters);
        if (r != EXIT_DONE)
                return r;
        r = json ? client_print_json(parameters, false) : print_explanations(parameters, all);
        json_decref(parameters);
        return r;
}
