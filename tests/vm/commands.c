/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdarg.h>

#include "tests/rom/sample-image.h"
#include "tests/vm/commands.h"
#include "tests/vm/vhci.h"
#include "tests/vm/words.h"

#define PEEK_MAX  (64 * KIB)
#define IMAGE_MAX (64 * MIB)

struct call {
        struct bed *bed;
        struct port *port; /* NULL where the command takes none */
        char **words;      /* what follows the port */
        size_t n_words;
        uint64_t *deadline_usec;
        uint64_t now_usec;
        FILE *out;
};

static int _printf_(2, 3) refuse(struct call *c, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        vfprintf(c->out, fmt, ap);
        va_end(ap);
        return -EINVAL;
}

/* ---- plug and pull ---- */

static int plugged(struct call *c, int r)
{
        if (r == -EBUSY)
                fprintf(c->out, "port %u: a board is plugged in; pull it first", c->port->number);
        else if (r == -ENODEV)
                fprintf(c->out, "port %u: no board was pulled there", c->port->number);
        else if (r < 0)
                fprintf(c->out, "port %u: %s", c->port->number, strerror(-r));
        return r;
}

static int do_plug(struct call *c)
{
        _cleanup_(plug_done) struct plug plug = {
                .config.mac = { 0x7c, 0xdf, 0xa1, 0x0b, 0, (uint8_t)c->port->number },
                .config.timing.transfer_usec = rom_timing_realistic.transfer_usec,
        };
        const char *wrong = words_to_plug(c->words, c->n_words, &plug);

        if (wrong)
                return refuse(c, "%s: not understood; see help", wrong);
        return plugged(c, port_plug(c->port, &plug, c->now_usec));
}

static int do_replug(struct call *c)
{
        return plugged(c, port_plug(c->port, NULL, c->now_usec));
}

static int do_pull(struct call *c)
{
        int r = port_pull(c->port);

        if (r < 0)
                fprintf(c->out, "port %u: nothing is plugged in", c->port->number);
        return r;
}

/* ---- faults ---- */

static const char *const request_words[ROM_N_REQUESTS] = {
        [ROM_DETACH] = "DETACH",       [ROM_DNLOAD] = "DNLOAD",       [ROM_UPLOAD] = "UPLOAD",
        [ROM_GETSTATUS] = "GETSTATUS", [ROM_CLRSTATUS] = "CLRSTATUS", [ROM_GETSTATE] = "GETSTATE",
        [ROM_ABORT] = "ABORT",
};
static const char *const what_words[] = {
        [ROM_DO_STALL] = "stall",   [ROM_DO_LOSE] = "lose",           [ROM_DO_HANG] = "hang",
        [ROM_DO_SHORTEN] = "short", [ROM_DO_STATE] = "state",         [ROM_DO_STATUS] = "status",
        [ROM_DO_ERROR] = "error",   [ROM_DO_UNPLUG] = "unplug",       [ROM_DO_FLIP_BIT] = "flip-bit",
        [ROM_DO_DELAY] = "delay",   [ROM_DO_POLL_TIME] = "poll-time",
};

static int do_fault(struct call *c)
{
        static const char *const places[] = { "block", "manifest", "any" };
        static const enum rom_fault_when whens[] = { ROM_AT_BLOCK, ROM_AT_MANIFEST, ROM_AT_ANY };
        struct rom_fault fault = { .when = ROM_AT_REQUEST };
        int place = WORD_FIND(places, c->words[0]), request = WORD_FIND(request_words, c->words[0]);
        int what = WORD_FIND(what_words, c->words[2]);
        uint64_t nth;

        if (!c->port->rom)
                return refuse(c, "port %u: no board", c->port->number);
        if (place < 0 && request < 0)
                return refuse(c, "%s: expected block, manifest, any or a request as GETSTATUS", c->words[0]);
        if (place >= 0)
                fault.when = whens[place];
        else
                fault.request = (enum rom_request)request;
        if (!word_to_number(c->words[1], &nth) || nth > UINT32_MAX)
                return refuse(c, "%s: expected a number, 1 for the first, 0 for each", c->words[1]);
        fault.nth = (unsigned)nth;
        if (what < 0)
                return refuse(c, "%s: no such fault; see help", c->words[2]);
        fault.what = (enum rom_fault_what)what;
        if (c->n_words > 3 && !word_to_number(c->words[3], &fault.value))
                return refuse(c, "%s: expected a number", c->words[3]);
        rom_add_fault(c->port->rom, &fault);
        return 0;
}

static int do_clear_faults(struct call *c)
{
        if (!c->port->rom)
                return refuse(c, "port %u: no board", c->port->number);
        rom_clear_faults(c->port->rom);
        return 0;
}

/* ---- looking ---- */

/* One line "NAME VALUE" for each figure; with a name its value alone. */
struct figure {
        const char *name;
        uint64_t value;
};

#define FIGURES_MAX 40

static size_t take_figures(const struct port *p, struct figure ret[static FIGURES_MAX])
{
        const struct rom_counters *k = rom_counters(p->rom);
        const struct port_figures *f = &p->figures;
        const struct figure rest[] = {
                { "others", k->others },
                { "stalls", k->stalls },
                { "blocks", k->blocks },
                { "manifests", k->manifests },
                { "archives", k->archives },
                { "raw-downloads", k->raw_downloads },
                { "dropped", k->dropped },
                { "violations", k->violations },
                { "detaches", k->detaches },
                { "resets", k->resets },
                { "runtime-resets", k->runtime_resets },
                { "erased-sectors", k->erased_sectors },
                { "written-pages", k->written_pages },
                { "verified-files", k->verified_files },
                { "completed", k->completed },
                { "attached", f->attached },
                { "resets-seen", f->resets_seen },
                { "unlinked", f->unlinked },
                { "queue-max", f->queue_max },
                { "download-usec", f->download_usec },
                { "plugged-at", f->plugged_at },
                { "detach-at", f->detach_at },
                { "download-at", f->download_at },
                { "completed-at", f->completed_at },
        };
        size_t n = 0;

        for (size_t i = 0; i < ROM_N_REQUESTS; i++)
                ret[n++] = (struct figure){ request_words[i], k->requests[i] };
        for (size_t i = 0; i < ARRAY_SIZE(rest); i++)
                ret[n++] = rest[i];
        return n;
}

static bool find_figure(const struct port *p, const char *name, uint64_t *ret)
{
        struct figure figures[FIGURES_MAX];
        size_t n = p->rom ? take_figures(p, figures) : 0;

        for (size_t i = 0; i < n; i++)
                if (streq(figures[i].name, name)) {
                        *ret = figures[i].value;
                        return true;
                }
        return false;
}

static int do_counters(struct call *c)
{
        struct figure figures[FIGURES_MAX];
        uint64_t value;
        size_t n;

        if (!c->port->rom)
                return refuse(c, "port %u: no board", c->port->number);
        if (c->n_words > 0) {
                if (!find_figure(c->port, c->words[0], &value))
                        return refuse(c, "%s: no such counter", c->words[0]);
                fprintf(c->out, "%" PRIu64 "\n", value);
                return 0;
        }
        n = take_figures(c->port, figures);
        for (size_t i = 0; i < n; i++)
                fprintf(c->out, "%s %" PRIu64 "\n", figures[i].name, figures[i].value);
        return 0;
}

static const char *state_word(const struct port *p)
{
        switch (p->phase) {
        case PORT_EMPTY:
                return "gone";
        case PORT_AWAY:
                return "away";
        case PORT_ATTACHED:
                return p->configured ? rom_state_to_string(rom_state(p->rom)) : "attached";
        }
        return NULL;
}

static int do_state(struct call *c)
{
        fprintf(c->out, "%s\n", state_word(c->port));
        return 0;
}

static int do_path(struct call *c)
{
        char path[VHCI_PATH_MAX];
        int r = vhci_path(c->port->number, path);

        if (r < 0)
                fprintf(c->out, "port %u: the kernel has no such port", c->port->number);
        else
                fprintf(c->out, "%s\n", path);
        return r;
}

/* Whether "NAME>=N" holds, or the state is word. */
static int holds(struct call *c, const char *word)
{
        char name[32];
        uint64_t wanted, is;
        const char *sign = strstr(word, ">=");

        if (!sign)
                return streq(word, state_word(c->port));
        snprintf(name, sizeof(name), "%.*s", (int)(sign - word), word);
        if (!find_figure(c->port, name, &is) || !word_to_number(sign + 2, &wanted))
                return refuse(c, "%s: expected a state or COUNTER>=NUMBER", word);
        return is >= wanted;
}

static int do_wait(struct call *c)
{
        uint64_t seconds;
        int r;

        if (!word_to_number(c->words[0], &seconds) || seconds > 3600)
                return refuse(c, "%s: expected seconds, 0 to 3600", c->words[0]);
        r = holds(c, c->words[1]);
        if (r != 0)
                return r < 0 ? r : 0;
        if (*c->deadline_usec == 0)
                *c->deadline_usec = c->now_usec + seconds * USEC_PER_SEC;
        if (c->now_usec < *c->deadline_usec)
                return 1;
        fprintf(c->out, "port %u: waited %s s for %s, is %s", c->port->number, c->words[0], c->words[1],
                state_word(c->port));
        return -ETIME;
}

/* ---- the flash ---- */

static int read_image(const char *path, uint8_t **ret, size_t *ret_len)
{
        _cleanup_(freep) uint8_t *data = malloc(IMAGE_MAX);
        FILE *f = data ? fopen(path, "re") : NULL;

        if (!data)
                return -ENOMEM;
        if (!f)
                return -errno;
        *ret_len = fread(data, 1, IMAGE_MAX, f);
        fclose(f);
        *ret = take_ptr(data);
        return 0;
}

static int do_compare(struct call *c)
{
        _cleanup_(freep) uint8_t *image = NULL;
        size_t len = 0;
        int r;

        if (!c->port->rom)
                return refuse(c, "port %u: no board", c->port->number);
        r = read_image(c->words[0], &image, &len);
        if (r < 0)
                return refuse(c, "%s: %s", c->words[0], strerror(-r));
        if (!rom_flash_has_image(c->port->rom, image, len))
                return refuse(c, "port %u: the flash is not what %s says; where, is in the bed's log",
                              c->port->number, c->words[0]);
        return 0;
}

static int do_peek(struct call *c)
{
        uint64_t address, len;

        if (!c->port->rom)
                return refuse(c, "port %u: no board", c->port->number);
        if (!word_to_number(c->words[0], &address) || address > UINT32_MAX ||
            !word_to_number(c->words[1], &len) || len > PEEK_MAX)
                return refuse(c, "expected ADDRESS LENGTH, at most %" PRIu64 " bytes", PEEK_MAX);
        for (uint64_t i = 0; i < len; i++) {
                uint8_t byte;

                rom_flash_read(c->port->rom, (uint32_t)(address + i), &byte, 1);
                fprintf(c->out, "%02x%s", byte, i % 16 == 15 || i + 1 == len ? "\n" : " ");
        }
        return 0;
}

static int do_fill(struct call *c)
{
        uint64_t address, byte, len;

        if (!c->port->rom)
                return refuse(c, "port %u: no board", c->port->number);
        if (!word_to_number(c->words[0], &address) || address > UINT32_MAX ||
            !word_to_number(c->words[1], &byte) || byte > 255 || !word_to_number(c->words[2], &len) ||
            len > ROM_FLASH_SIZE)
                return refuse(c, "expected ADDRESS BYTE LENGTH");
        rom_flash_fill(c->port->rom, (uint32_t)address, (uint8_t)byte, len);
        return 0;
}

static int do_quit(struct call *c)
{
        c->bed->ends = true;
        return 0;
}

/* ---- the table ---- */

static const struct verb {
        const char *name;
        size_t words; /* at least so many behind the port */
        bool takes_port;
        int (*run)(struct call *c);
        const char *usage, *help;
} verbs[] = {
        { "plug", 1, true, do_plug, "CHIP [WORD…]",
          "a new board, S2, S3, P4 or S31. Words: runtime, dfu, mac=7c:…, realistic, transfer=US, erase=US "
          "(4 KiB), "
          "page=US (256 bytes), verify=US (1 MiB), detach=US, flash=BYTES, application-after-reset, serial=, "
          "product=, "
          "manufacturer= (_ is a space), pid=, bcd=, patch=OFFSET:BYTE" },
        { "replug", 0, true, do_replug, "", "the board that was pulled there, with its flash" },
        { "pull", 0, true, do_pull, "", "pulls the plug; the model stays to be looked at" },
        { "fault", 3, true, do_fault, "WHEN NTH WHAT [VALUE]",
          "WHEN: block, manifest, any, or a request as GETSTATUS; NTH: from 1, 0 is each; WHAT: stall, lose, "
          "hang, "
          "short, state, status, error, unplug, flip-bit, delay, poll-time (see tests/rom/rom.h)" },
        { "clear-faults", 0, true, do_clear_faults, "", "" },
        { "counters", 0, true, do_counters, "[NAME]", "what the model and the port counted" },
        { "state", 0, true, do_state, "", "gone, away, attached (not configured yet), or the DFU state" },
        { "wait", 2, true, do_wait, "SECONDS STATE|COUNTER>=N", "until it is so, or fails" },
        { "path", 0, true, do_path, "", "the kernel's name of the port, 3-1" },
        { "compare", 1, true, do_compare, "IMAGE_FILE", "fails unless the flash is what the image says" },
        { "peek", 2, true, do_peek, "ADDRESS LENGTH", "flash bytes in hexadecimal" },
        { "fill", 3, true, do_fill, "ADDRESS BYTE LENGTH", "flash bytes, as if they had been there before" },
        { "quit", 0, false, do_quit, "", "pulls everything and ends the bed" },
};

void command_help(FILE *out)
{
        for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
                fprintf(out, "%s%s %s\n        %s\n", verbs[i].name, verbs[i].takes_port ? " PORT" : "",
                        verbs[i].usage, verbs[i].help);
}

static const struct verb *find_verb(const char *name)
{
        for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
                if (streq(verbs[i].name, name))
                        return &verbs[i];
        return NULL;
}

static size_t split(char *line, char *ret[static COMMAND_WORDS_MAX])
{
        char *rest, *word;
        size_t n = 0;

        for (word = strtok_r(line, " ", &rest); word && n < COMMAND_WORDS_MAX;
             word = strtok_r(NULL, " ", &rest))
                ret[n++] = word;
        return n;
}

int command_run(struct bed *bed, struct command *command, uint64_t now_usec, FILE *out)
{
        char line[COMMAND_MAX], *words[COMMAND_WORDS_MAX];
        struct call c = {
                .bed = bed, .deadline_usec = &command->deadline_usec, .now_usec = now_usec, .out = out
        };
        const struct verb *verb;
        size_t n, used;
        uint64_t port;

        memcpy(line, command->line, sizeof(line)); /* a wait is run again from the unspoilt line */
        n = split(line, words);
        verb = n > 0 ? find_verb(words[0]) : NULL;
        if (!verb)
                return refuse(&c, "%s: no such command; see help", n > 0 ? words[0] : "nothing");
        used = 1 + verb->takes_port;
        if (n < used + verb->words)
                return refuse(&c, "%s: expected %s%s", verb->name, verb->takes_port ? "PORT " : "",
                              verb->usage);
        if (verb->takes_port) {
                if (!word_to_number(words[1], &port) || port >= bed->n_ports)
                        return refuse(&c, "%s: expected a port, 0 to %zu", words[1], bed->n_ports - 1);
                c.port = &bed->ports[port];
        }
        c.words = words + used;
        c.n_words = n - used;
        return verb->run(&c);
}
