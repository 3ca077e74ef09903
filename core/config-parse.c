/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From the lines of one file to the configuration: which section a key belongs to, and the rules that need more than
 * one key. What is about one value alone stands in the table, core/config-keys.c.
 */
#include <stdarg.h>
#include <stdio.h>

#include "core/config-keys.h"
#include "core/config-values.h"
#include "core/ini-reader.h"
#include "core/slot-range.h"

#define KEY_QUOTED_MAX 24                    /* longer than every key */
#define TITLE_SIZE     (CONFIG_LINE_MAX + 3) /* "[slot A1]" */

struct parser {
        struct config *config;
        struct config_errors *errors;
        const char *file;
        int r; /* 0, or -ENOMEM: nothing more is done then */

        bool skipping; /* the section is not known: its keys are not looked at */
        void *object; /* what the section's keys set: config, or the last slot, hub or policy; NULL before any section */
        enum config_section section;
        unsigned header_line;
        char title[TITLE_SIZE];
        unsigned said[CONFIG_KEYS_MAX]; /* in which line each key was set, 0: not in this section */
};

static void fault(struct parser *p, unsigned line, const char *fmt, ...) _printf_(3, 4);

static void fault(struct parser *p, unsigned line, const char *fmt, ...)
{
        _cleanup_(freep) char *text = NULL;
        va_list ap;
        int n;

        va_start(ap, fmt);
        n = vasprintf(&text, fmt, ap);
        va_end(ap);
        if (n >= 0) {
                config_errors_add(p->errors, "%s:%u: %s", p->file, line, text);
                return;
        }
        text = NULL;
        p->r = -ENOMEM;
}

/* The line in which this section sets key, or 0. */
static unsigned said(const struct parser *p, const char *key)
{
        size_t i = 0;

        return config_key_find(p->section, key, &i) ? p->said[i] : 0;
}

/* ---- rules that need a whole section ---- */

/* A slot or a hub, which both are about a port; borrowed. */
struct placed {
        const char *name, *path, *port;
        const struct config_origin *origin;
};

static struct placed slot_placed(const struct config_slot *slot)
{
        return (struct placed){ slot->name, slot->path, slot->port, &slot->origin };
}

static struct placed hub_placed(const struct config_hub *hub)
{
        return (struct placed){ hub->name, hub->path, hub->port, &hub->origin };
}

static void check_place(struct parser *p, const char *key, const char *place, const struct placed *other,
                        const char *others_place)
{
        const char *what = config_section_to_string(p->section);

        if (place && streq_ptr(place, others_place))
                fault(p, said(p, key), "%s = %s: expected a %s that no other %s has, %s %s has it (%s:%u)",
                      key, place, key, what, what, other->name, other->origin->file, other->origin->line);
}

/* Another slot may stand where this one does by port or by path, not by both: the two are only known to be one port
 * when a board is there. The same goes for hubs. */
static void check_apart(struct parser *p, struct placed this, struct placed other)
{
        if (streq(this.name, other.name))
                return; /* that is told already */
        check_place(p, "path", this.path, &other, other.path);
        check_place(p, "port", this.port, &other, other.port);
}

static void check_one_place(struct parser *p)
{
        unsigned path = said(p, "path"), port = said(p, "port");

        if (!path && !port)
                fault(p, p->header_line, "%s: neither path nor port: expected one of them", p->title);
        if (path && port)
                fault(p, MAX(path, port), "%s: path and port: expected one of them, line %u has the other",
                      p->title, MIN(path, port));
}

/* A range has a * in its name and at the end of its place, a slot in neither. */
static void check_star(struct parser *p, const char *key, const char *place, bool wants_star)
{
        bool has_star = place && is_range_name(place);

        if (!place || has_star == wants_star)
                return;
        if (wants_star)
                fault(p, said(p, key), "%s = %s: expected the ports below a hub, %s, since %s has a *", key,
                      place, streq(key, "path") ? "such as pci-0000:00:14.0-usb-0:2.*" : "such as 1-2.*",
                      p->title);
        else
                fault(p, said(p, key),
                      "%s = %s: expected one port, or a * for the number in the section's name: "
                      "[slot %s*]",
                      key, place, ((const struct config_slot *)p->object)->name);
}

static void check_ranges_apart(struct parser *p, const char *key, const char *place,
                               const struct config_slot *other, const char *others_place)
{
        if (ranges_overlap(place, others_place))
                fault(p, said(p, key),
                      "%s = %s: expected ports that are in no other range, [slot %s] has them "
                      "(%s:%u)",
                      key, place, other->name, other->origin.file, other->origin.line);
}

static void check_range(struct parser *p, const struct config_slot *range)
{
        check_one_place(p);
        check_star(p, "path", range->path, true);
        check_star(p, "port", range->port, true);
        for (size_t i = 0; i + 1 < p->config->n_ranges; i++) {
                const struct config_slot *other = &p->config->ranges[i];

                if (streq(range->name, other->name))
                        continue; /* that is told already */
                check_ranges_apart(p, "path", range->path, other, other->path);
                check_ranges_apart(p, "port", range->port, other, other->port);
        }
}

static void check_slot(struct parser *p, const struct config_slot *slot)
{
        if (is_range_name(slot->name)) {
                check_range(p, slot);
                return;
        }
        check_one_place(p);
        check_star(p, "path", slot->path, false);
        check_star(p, "port", slot->port, false);
        for (size_t i = 0; i + 1 < p->config->n_slots; i++)
                check_apart(p, slot_placed(slot), slot_placed(&p->config->slots[i]));
}

static void check_hub(struct parser *p, const struct config_hub *hub)
{
        check_one_place(p);
        for (size_t i = 0; i + 1 < p->config->n_hubs; i++)
                check_apart(p, hub_placed(hub), hub_placed(&p->config->hubs[i]));
}

/* It is put into an archive, and only the ROM takes one. */
static void check_board_data(struct parser *p, const struct config_policy *policy)
{
        unsigned line = said(p, "board-data");

        if (!policy->board_data)
                return;
        if (policy->mode != POLICY_MODE_ROM)
                fault(p, line,
                      "board-data = 0x%x:%s: expected mode = rom beside it, since only the ROM takes an "
                      "archive",
                      policy->board_data_address, policy->board_data);
        if (!said(p, "image"))
                fault(p, line,
                      "board-data = 0x%x:%s: expected an image key beside it, which the data is put into",
                      policy->board_data_address, policy->board_data);
}

static void check_policy(struct parser *p, const struct config_policy *policy)
{
        unsigned reflash = said(p, "reflash");

        check_board_data(p, policy);
        if (policy->action == POLICY_FLASH && !said(p, "image"))
                fault(p, p->header_line, "%s: action = flash: expected an image key beside it", p->title);
        if (policy->reflash != POLICY_REFLASH_NEVER)
                return;
        if (policy->chip && !policy->chip->has_mac)
                fault(p, reflash, "reflash = never: expected always, since an %s does not tell its MAC",
                      policy->chip->product);
        if (!said(p, "chip"))
                fault(p, reflash,
                      "reflash = never: expected a chip key beside it, since not every chip tells its MAC");
}

static void end_section(struct parser *p)
{
        if (!p->object || p->skipping || p->r < 0)
                return;
        switch (p->section) {
        case CONFIG_STATION:
        case CONFIG_SECTION_MAX_:
                break;
        case CONFIG_SLOT:
                check_slot(p, p->object);
                break;
        case CONFIG_HUB:
                check_hub(p, p->object);
                break;
        case CONFIG_POLICY:
                check_policy(p, p->object);
                break;
        }
}

/* ---- headers ---- */

static void check_name(struct parser *p, const char *name)
{
        if (!value_is_name(name, CONFIG_NAME_MAX))
                fault(p, p->header_line, "%s: expected a name of 1 to %d letters, digits and . _ + : @ -",
                      p->title, CONFIG_NAME_MAX);
        else if (p->section == CONFIG_SLOT && value_is_port(name))
                fault(p, p->header_line, "%s: expected a name that does not look like a port", p->title);
}

static void check_unique(struct parser *p, const char *name, const char *other,
                         const struct config_origin *origin)
{
        if (streq(name, other))
                fault(p, p->header_line, "%s: expected one definition, %s:%u has another", p->title,
                      origin->file, origin->line);
}

static bool check_count(struct parser *p, size_t n, size_t max)
{
        if (n >= max)
                fault(p, p->header_line, "%s: expected at most %zu of [%s NAME]", p->title, max,
                      config_section_to_string(p->section));
        return n < max;
}

static int origin_set(struct parser *p, struct config_origin *origin)
{
        origin->line = p->header_line;
        return free_and_strdup(&origin->file, p->file);
}

/* One more at the end of array, all zero: a pointer to it, or NULL when out of memory. */
#define ADD_ITEM(array, n)                                                                                   \
        ({                                                                                                   \
                __typeof__(array) more_ = reallocarray(array, (n) + 1, sizeof(*(array)));                    \
                                                                                                             \
                if (more_) {                                                                                 \
                        (array) = more_;                                                                     \
                        more_ += (n)++;                                                                      \
                        *more_ = (__typeof__(*more_)){};                                                     \
                }                                                                                            \
                more_;                                                                                       \
        })

/* What every new section has: its name, its origin, its defaults. */
static int begin(struct parser *p, const char *name, char **ret_name, struct config_origin *origin)
{
        int r = free_and_strdup(ret_name, name);

        if (r == 0)
                r = origin_set(p, origin);
        return r < 0 ? r : config_set_defaults(p->section, p->object);
}

/* The names of a range are taken, whether there is a port for each or not: hubs come and go. */
static void check_range_names(struct parser *p, const char *name)
{
        const struct config *c = p->config;
        const char *wrong = range_name_fault(name);

        if (wrong) {
                fault(p, p->header_line, "%s: expected %s", p->title, wrong);
                return;
        }
        for (size_t i = 0; i < c->n_slots; i++)
                if (range_gives_name(name, c->slots[i].name))
                        fault(p, p->header_line,
                              "%s: expected names that no other slot has, [slot %s] has one (%s:%u)",
                              p->title, c->slots[i].name, c->slots[i].origin.file, c->slots[i].origin.line);
        for (size_t i = 0; i < c->n_ranges; i++)
                if (!streq(name, c->ranges[i].name) && ranges_share_a_name(name, c->ranges[i].name))
                        fault(p, p->header_line,
                              "%s: expected names that no other slot has, [slot %s] gives some of them "
                              "(%s:%u)",
                              p->title, c->ranges[i].name, c->ranges[i].origin.file,
                              c->ranges[i].origin.line);
}

static int begin_range(struct parser *p, const char *name)
{
        struct config *c = p->config;
        struct config_slot *range;

        for (size_t i = 0; i < c->n_ranges; i++)
                check_unique(p, name, c->ranges[i].name, &c->ranges[i].origin);
        check_range_names(p, name);
        if (!check_count(p, c->n_ranges, CONFIG_SLOTS_MAX))
                return 0;
        p->object = range = ADD_ITEM(c->ranges, c->n_ranges);
        return range ? begin(p, name, &range->name, &range->origin) : -ENOMEM;
}

/* The new slot is the object of the keys that follow; none, and those are skipped, where there are too many. */
static int begin_slot(struct parser *p, const char *name)
{
        struct config *c = p->config;
        struct config_slot *slot;

        for (size_t i = 0; i < c->n_slots; i++)
                check_unique(p, name, c->slots[i].name, &c->slots[i].origin);
        for (size_t i = 0; i < c->n_ranges; i++)
                if (!range_name_fault(c->ranges[i].name) && range_gives_name(c->ranges[i].name, name))
                        fault(p, p->header_line,
                              "%s: expected a name that [slot %s] does not give to a port (%s:%u)", p->title,
                              c->ranges[i].name, c->ranges[i].origin.file, c->ranges[i].origin.line);
        if (!check_count(p, c->n_slots, CONFIG_SLOTS_MAX))
                return 0;
        p->object = slot = ADD_ITEM(c->slots, c->n_slots);
        return slot ? begin(p, name, &slot->name, &slot->origin) : -ENOMEM;
}

static int begin_hub(struct parser *p, const char *name)
{
        struct config *c = p->config;
        struct config_hub *hub;

        for (size_t i = 0; i < c->n_hubs; i++)
                check_unique(p, name, c->hubs[i].name, &c->hubs[i].origin);
        if (!check_count(p, c->n_hubs, CONFIG_HUBS_MAX))
                return 0;
        p->object = hub = ADD_ITEM(c->hubs, c->n_hubs);
        return hub ? begin(p, name, &hub->name, &hub->origin) : -ENOMEM;
}

static int begin_policy(struct parser *p, const char *name)
{
        struct config *c = p->config;
        struct config_policy *policy;

        for (size_t i = 0; i < c->n_policies; i++)
                check_unique(p, name, c->policies[i].name, &c->policies[i].origin);
        if (!check_count(p, c->n_policies, CONFIG_POLICIES_MAX))
                return 0;
        p->object = policy = ADD_ITEM(c->policies, c->n_policies);
        return policy ? begin(p, name, &policy->name, &policy->origin) : -ENOMEM;
}

/* "slot A1": which section, and what stands behind its word. -EINVAL where there is no such section. */
static int split_header(const char *text, enum config_section *ret, const char **ret_name)
{
        size_t word = strcspn(text, " \t"), name = word + strspn(text + word, " \t");
        char section[16] = "";
        int s;

        if (word >= sizeof(section))
                return -EINVAL;
        memcpy(section, text, word);
        s = config_section_from_string(section);
        if (s < 0 || (s == CONFIG_STATION && text[name]))
                return -EINVAL;
        *ret = (enum config_section)s;
        *ret_name = text + name;
        return 0;
}

/* [station] may be given in pieces, so what was said there stays; a slot, a hub or a policy begins anew. */
static void forget_said(struct parser *p)
{
        const struct config_key *key;

        for (size_t i = 0; (key = config_key_at(i)); i++)
                if (key->section == p->section && p->section != CONFIG_STATION)
                        p->said[i] = 0;
}

static void on_section(void *userdata, unsigned line, const char *text)
{
        struct parser *p = userdata;
        const char *name = "";

        end_section(p);
        if (p->r < 0)
                return;
        p->header_line = line;
        snprintf(p->title, sizeof(p->title), "[%s]", text);
        p->skipping = split_header(text, &p->section, &name) < 0;
        if (p->skipping) {
                fault(p, line, "%s: expected [station], [slot NAME], [hub NAME] or [policy NAME]", p->title);
                return;
        }
        forget_said(p);
        p->object = NULL;
        switch (p->section) {
        case CONFIG_STATION:
        case CONFIG_SECTION_MAX_:
                p->object = p->config;
                break;
        case CONFIG_SLOT:
                if (!is_range_name(name))
                        check_name(p, name);
                p->r = is_range_name(name) ? begin_range(p, name) : begin_slot(p, name);
                break;
        case CONFIG_HUB:
                check_name(p, name);
                p->r = begin_hub(p, name);
                break;
        case CONFIG_POLICY:
                check_name(p, name);
                p->r = begin_policy(p, name);
                break;
        }
        p->skipping = !p->object;
}

/* ---- keys ---- */

/* The file may be one that those who read the message may not read: a value is quoted where its key is known, a name where
 * it may be a mistyped key. */
static const char *quotable(const char *name)
{
        size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_");

        return len <= KEY_QUOTED_MAX && name[len] == '\0' ? name : "KEY";
}

static void unknown_key(struct parser *p, unsigned line, const char *name)
{
        const char *nearest = config_key_nearest(p->section, name);
        char known[256] = "";

        config_key_list(p->section, known, sizeof(known));
        fault(p, line, "%s = …: unknown key in %s%s%s: expected %s", quotable(name), p->title,
              nearest ? ", perhaps " : "", nearest ? nearest : "", known);
}

static void on_key(void *userdata, unsigned line, const char *name, const char *value)
{
        struct parser *p = userdata;
        const struct config_key *key;
        size_t i = 0;
        int r;

        if (p->skipping || p->r < 0)
                return;
        if (!p->object) {
                fault(p, line, "%s = …: expected a section before it, such as [station]", quotable(name));
                return;
        }
        key = config_key_find(p->section, name, &i);
        if (!key) {
                unknown_key(p, line, name);
                return;
        }
        if (p->said[i]) {
                fault(p, line, "%s = %s: expected %s once in %s, line %u has it", name, value, name, p->title,
                      p->said[i]);
                return;
        }
        p->said[i] = line;
        r = config_key_set(key, value, p->object);
        if (r == -EINVAL)
                fault(p, line, "%s = %s: %s%sexpected %s", name, value, key->why ? key->why(value) : "",
                      key->why ? ": " : "", key->expected);
        else if (r < 0)
                p->r = r;
}

static void on_fault(void *userdata, unsigned line, const char *text)
{
        struct parser *p = userdata;

        if (p->r == 0)
                fault(p, line, "%s", text);
}

int config_parse(struct config *config, const char *file, const char *text, size_t len,
                 struct config_errors *errors)
{
        static const struct ini_events events = { on_section, on_key, on_fault };
        struct parser p = { .config = config, .errors = errors, .file = file };

        ini_read(text, len, &events, &p);
        end_section(&p);
        return p.r;
}
