/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* espdfuctl consumer: who copies the ledger elsewhere. */
#include <getopt.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>

#include "client/client.h"
#include "core/config-values.h"
#include "show/table-choice.h"

/* ---- list ---- */

static int add_consumer(const struct table_style *style, struct libscols_table *table,
                        const struct consumer_status *c)
{
        struct libscols_line *line = scols_table_new_line(table, NULL);
        char sequence[24], behind[24];
        int r = line ? table_set(style, line, 0, c->consumer) : -ENOMEM;

        snprintf(sequence, sizeof(sequence), "%" PRId64, c->sequence);
        snprintf(behind, sizeof(behind), "%" PRIu64, c->behind);
        if (r == 0)
                r = table_set(style, line, 1, sequence);
        if (r == 0)
                r = table_set(style, line, 2, behind);
        return r == 0 ? table_take(line, 3, format_time(style, c->seen_realtime_usec)) : r;
}

const char *const consumer_columns[] = { "consumer", "has", "behind", "seen", NULL };

static int print_consumers(const json_t *parameters, const struct table_choice *choice)
{
        static const char *const names[] = { "CONSUMER", "HAS", "BEHIND", "SEEN" };
        _cleanup_(table_unrefp) struct libscols_table *table = NULL;
        struct consumer_status *consumers = NULL;
        struct table_style style;
        size_t n = 0;
        int r = consumers_from_json(parameters, &consumers, &n);

        table_style_of_stdout(&style);
        if (r == 0 && !(table = table_new(&style, names, ARRAY_SIZE(names))))
                r = -ENOMEM;
        for (size_t i = 0; r == 0 && i < n; i++)
                r = add_consumer(&style, table, &consumers[i]);
        if (r == 0)
                r = table_choose(table, choice);
        if (r == 0 && n == 0 && !table_is_chosen(choice))
                puts("No consumer.");
        else if (r == 0 && scols_print_table(table) < 0 && !ferror(stdout))
                r = -ENOMEM;
        consumers_free(consumers, n);
        return r < 0 ? client_misread(r) : EXIT_DONE;
}

static int list(bool json, const struct table_choice *choice)
{
        json_t *reply;
        int r = client_ask(STATION_INTERFACE ".Consumers", NULL, &reply);

        if (r != EXIT_DONE)
                return r;
        r = json ? client_print_json(reply, false) : print_consumers(reply, choice);
        json_decref(reply);
        return r;
}

/* ---- the others ---- */

static const struct order {
        const char *name, *method;
        bool number_needed, number_taken, user_taken;
} orders[] = {
        { "register", STATION_INTERFACE ".RegisterConsumer", false, true, true },
        { "acknowledge", STATION_INTERFACE ".Acknowledge", true, true, false },
        { "unregister", STATION_INTERFACE ".UnregisterConsumer", false, false, false },
};

/* A user's name, or uid. */
static bool find_user(const char *text, int64_t *ret)
{
        const struct passwd *user = getpwnam(text);
        uint64_t number;

        if (user) {
                *ret = user->pw_uid;
        } else if (value_number(text, 0, UINT32_MAX - 1, &number) == 0) {
                *ret = (int64_t)number;
        } else {
                client_error(
                        "consumer register: --user %s: expected the name of a user of this machine, or a uid",
                        text);
                return false;
        }
        return true;
}

/* number, user: negative: none is told. */
static int carry_out(const struct order *order, const char *name, int64_t number, int64_t user)
{
        json_t *parameters = json_pack("{s:s}", "consumer", name), *reply;
        int r;

        if (!parameters ||
            (number >= 0 && json_object_set_new(parameters, "sequence", json_integer(number)) < 0) ||
            (user >= 0 && json_object_set_new(parameters, "user", json_integer(user)) < 0)) {
                json_decref(parameters);
                return client_misread(-ENOMEM);
        }
        r = client_ask(order->method, parameters, &reply);
        if (r != EXIT_DONE)
                return r;
        printf("%s: %s, has number %" JSON_INTEGER_FORMAT "\n", name,
               streq(order->name, "unregister") ? "registered no more" : "registered",
               json_integer_value(json_object_get(reply, "sequence")));
        json_decref(reply);
        return EXIT_DONE;
}

static int run(const struct order *order, int n, char **arguments, const char *user_text)
{
        int64_t number = -1, user = -1;

        if (n < 1 || (order->number_needed && n < 2) || n > (order->number_taken ? 2 : 1)) {
                client_error("consumer %s: expected %s", order->name,
                             order->number_needed  ? "NAME NUMBER"
                             : order->number_taken ? "NAME [NUMBER]"
                                                   : "NAME");
                return EXIT_USAGE;
        }
        if (!value_is_name(arguments[0], CONSUMER_NAME_MAX)) {
                client_error("consumer %s %s: expected a name: 1 to %d letters, digits and . _ + : @ -",
                             order->name, arguments[0], CONSUMER_NAME_MAX);
                return EXIT_USAGE;
        }
        if (n == 2 && !client_number(arguments[0], arguments[1], 0, INT64_MAX, &number))
                return EXIT_USAGE;
        if (user_text && !order->user_taken) {
                client_error("consumer %s: --user: expected with register alone", order->name);
                return EXIT_USAGE;
        }
        if (user_text && !find_user(user_text, &user))
                return EXIT_USAGE;
        return carry_out(order, arguments[0], number, user);
}

int verb_consumer(int argc, char **argv)
{
        bool json = false;
        struct table_choice choice = { 0 };
        const char *user = NULL, *what;
        const struct client_option options[] = { { "json", .flag = &json },
                                                 { "user", .value = &user },
                                                 TABLE_OPTIONS(choice) };
        int r;

        r = client_options(argc, argv, options, ARRAY_SIZE(options), 3);
        if (r != CLIENT_GO_ON)
                return r;
        what = optind < argc ? argv[optind] : "";
        if (streq(what, "list") && optind + 1 == argc && !user) {
                r = table_choice_read(&choice, "consumer list", consumer_columns, json);
                return r == EXIT_DONE ? list(json, &choice) : r;
        }
        for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
                if (streq(orders[i].name, what) && !json && !table_is_chosen(&choice))
                        return run(&orders[i], argc - optind - 1, argv + optind + 1, user);
        client_error("consumer %s: expected list [--json], register, acknowledge or unregister", what);
        return EXIT_USAGE;
}
