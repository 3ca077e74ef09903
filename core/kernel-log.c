/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/kernel-log.h"

#include <ctype.h>
#include <stdio.h>

#include "core/printable.h"

static const char *const kind_words[KERNEL_TROUBLE_KIND_MAX_] = {
        [KERNEL_CABLE] = "cable",           [KERNEL_LOW_SPEED] = "low-speed",
        [KERNEL_CONTROLLER] = "controller", [KERNEL_OVER_CURRENT] = "over-current",
        [KERNEL_POWER] = "power",
};
DEFINE_WORDS(kernel_trouble_kind, kind_words)

/* What a line means that has this text in it. */
enum meaning { FOUND, LOW_SPEED, OTHER_SPEED, TROUBLE };
static const struct {
        const char *text;
        enum meaning meaning;
        enum kernel_trouble_kind kind;
} sayings[] = {
        { "New USB device found", FOUND, 0 },
        { "new low-speed USB device", LOW_SPEED, 0 },
        { "new full-speed USB device", OTHER_SPEED, 0 },
        { "new high-speed USB device", OTHER_SPEED, 0 },
        { "device descriptor read/", TROUBLE, KERNEL_CABLE },
        { "device not accepting address", TROUBLE, KERNEL_CABLE },
        { "Device not responding to setup address", TROUBLE, KERNEL_CABLE },
        { "unable to read config index", TROUBLE, KERNEL_CABLE },
        { "unable to enumerate USB device", TROUBLE, KERNEL_CABLE },
        { "Maybe the USB cable is bad", TROUBLE, KERNEL_CABLE },
        { "Not enough host controller resources", TROUBLE, KERNEL_CONTROLLER },
        { "Maximum number of devices this xHCI host supports", TROUBLE, KERNEL_CONTROLLER },
        { "No Slots Available", TROUBLE, KERNEL_CONTROLLER },
        { "ot enough bandwidth", TROUBLE, KERNEL_CONTROLLER },
        { "can't set config #1, error -28", TROUBLE, KERNEL_CONTROLLER },
        { "can't set config #1, error -12", TROUBLE, KERNEL_CONTROLLER },
        { "over-current", TROUBLE, KERNEL_OVER_CURRENT },
        { "insufficient available bus power", TROUBLE, KERNEL_POWER },
};

/* ---- the place ---- */

/* How many characters of s are a port path, "1-4.1"; 0: none are. */
static size_t port_path_len(const char *s)
{
        size_t n = strspn(s, "0123456789"), more;

        if (n == 0 || s[n] != '-' || !isdigit((unsigned char)s[n + 1]))
                return 0;
        for (n++; (more = strspn(s + n, "0123456789")) > 0; n++) {
                n += more;
                if (s[n] != '.' || !isdigit((unsigned char)s[n + 1]))
                        return n;
        }
        return n;
}

/* A hub's port by the hub and a number: usb1 and 4 are 1-4, 1-4 and 2 are 1-4.2. */
static bool join(const char *hub, size_t len, bool is_root, const char *number, char ret[static 32])
{
        int digits = (int)strspn(number, "0123456789");

        return digits > 0 && digits < 4 &&
               snprintf(ret, 32, "%.*s%c%.*s", (int)len, hub, is_root ? '-' : '.', digits, number) < 32;
}

/* Behind "usb ": "1-4: …", "1-4-port2: …", "usb1-port4: …". */
static bool usb_place(const char *s, char ret[static 32])
{
        size_t n;

        if (str_has_prefix(s, "usb")) {
                n = strspn(s + 3, "0123456789");
                return n > 0 && n < 8 && str_has_prefix(s + 3 + n, "-port") &&
                       join(s + 3, n, true, s + 3 + n + strlen("-port"), ret);
        }
        n = port_path_len(s);
        if (n > 0 && n < 24 && str_has_prefix(s + n, "-port"))
                return join(s, n, false, s + n + strlen("-port"), ret);
        return n > 0 && s[n] == ':' && snprintf(ret, 32, "%.*s", (int)n, s) < 32;
}

/* Behind "hub ": "1-0:1.0: … port 4", the root hub of bus 1, or "1-4:1.0: … port 2". */
static bool hub_place(const char *s, char ret[static 32])
{
        size_t n = port_path_len(s);
        const char *port = strstr(s, "port ");
        bool is_root = n >= 2 && s[n - 1] == '0' && s[n - 2] == '-';

        if (n == 0 || n >= 24 || !port)
                return false;
        return join(s, is_root ? n - 2 : n, is_root, port + strlen("port "), ret);
}

/* "xhci_hcd 0000:00:14.0: …" */
static bool controller_place(const char *s, char ret[static 32])
{
        const char *end = strstr(s, ": ");

        return end && end > s && end - s < 31 && snprintf(ret, 32, "%.*s", (int)(end - s), s) < 32;
}

static const struct {
        const char *driver;
        bool (*place)(const char *s, char ret[static 32]);
} speakers[] = {
        { "usb ", usb_place },
        { "hub ", hub_place },
        { "xhci_hcd ", controller_place },
        { "ehci-pci ", controller_place },
        { "ehci_hcd ", controller_place },
        { "dwc2 ", controller_place },
        { "vhci_hcd ", controller_place },
};

/* What the message itself is behind what a log puts before it: "<6>", "[   12.345678] ", "… kernel: ". */
static const char *message_in(const char *line)
{
        const char *kernel = strstr(line, "kernel: "), *bracket;

        if (kernel)
                line = kernel + strlen("kernel: ");
        if (*line == '<' && strchr(line, '>'))
                line = strchr(line, '>') + 1;
        bracket = *line == '[' ? strstr(line, "] ") : NULL;
        return bracket ? bracket + 2 : line;
}

static bool find_place(const char *message, char ret[static 32])
{
        for (size_t i = 0; i < ARRAY_SIZE(speakers); i++)
                if (str_has_prefix(message, speakers[i].driver))
                        return speakers[i].place(message + strlen(speakers[i].driver), ret);
        return false;
}

/* ---- the list ---- */

static void note(struct kernel_log *log, enum kernel_trouble_kind kind, const char *place,
                 const char *message)
{
        struct kernel_trouble *trouble = NULL;

        for (size_t i = 0; i < log->n_troubles && !trouble; i++)
                if (log->troubles[i].kind == kind && streq(log->troubles[i].place, place))
                        trouble = &log->troubles[i];
        if (!trouble && log->n_troubles < KERNEL_TROUBLES_MAX) {
                trouble = &log->troubles[log->n_troubles++];
                *trouble = (struct kernel_trouble){ .kind = kind };
                snprintf(trouble->place, sizeof(trouble->place), "%s", place);
        }
        if (!trouble)
                return;
        trouble->count++;
        snprintf(trouble->text, sizeof(trouble->text), "%.*s", (int)strcspn(message, "\n"), message);
        make_printable(trouble->text);
}

static void forget(struct kernel_log *log, const char *place)
{
        size_t kept = 0;

        for (size_t i = 0; i < log->n_troubles; i++)
                if (!streq(log->troubles[i].place, place))
                        log->troubles[kept++] = log->troubles[i];
        log->n_troubles = kept;
        if (streq(log->low_speed, place))
                log->low_speed[0] = '\0';
}

void kernel_log_feed(struct kernel_log *log, const char *line)
{
        const char *message = message_in(line);
        char place[32];

        for (size_t i = 0; i < ARRAY_SIZE(sayings); i++) {
                enum kernel_trouble_kind kind = sayings[i].kind;

                if (!strstr(message, sayings[i].text) || !find_place(message, place))
                        continue;
                switch (sayings[i].meaning) {
                case FOUND:
                        forget(log, place);
                        return;
                case LOW_SPEED:
                        snprintf(log->low_speed, sizeof(log->low_speed), "%s", place);
                        return;
                case OTHER_SPEED:
                        if (streq(log->low_speed, place))
                                log->low_speed[0] = '\0';
                        return;
                case TROUBLE:
                        if (kind == KERNEL_CABLE && streq(log->low_speed, place))
                                kind = KERNEL_LOW_SPEED;
                        note(log, kind, place, message);
                        return;
                }
        }
}
