/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What udevd and sysfs show of a board. The events are sent by this file and not by umockdev, whose own need the test
 * preloaded, abort it when a listener is slow, and never pass a listener's tag filter.
 */
#include "tests/rom/bed-internal.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <glob.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTENER_SEC                                                                                         \
        10 /* after which an event is lost on one that does not listen, as in a full netlink buffer */
#define USB_MAJOR  189U
#define SPEED_FULL "12"
#define SPEED_HIGH "480"

/* ---- names ------------------------------------------------------------------------ */

void port_syspath(const char *port, char *ret, size_t size)
{
        unsigned bus = (unsigned)strtoul(port, NULL, 10);
        size_t len = (size_t)snprintf(ret, size, "/sys/devices/pci0000:00/0000:00:%02x.0/usb%u", 0x13 + bus,
                                      bus);

        for (const char *p = strchr(port, '-'); p; p = strchr(p + 1, '.')) {
                const char *end = strchr(p + 1, '.');
                int n = end ? (int)(end - port) : (int)strlen(port);

                len += (size_t)snprintf(ret + len, size - len, "/%.*s", n, port);
        }
}

static unsigned minor_of(unsigned bus, unsigned devnum)
{
        return (bus - 1) * 128 + devnum - 1;
}

static void append_hex(GString *s, const uint8_t *data, size_t len)
{
        for (size_t i = 0; i < len; i++)
                g_string_append_printf(s, "%02X", data[i]);
}

/* ---- files ---------------------------------------------------------------------------- */

static void write_file(const char *path, const char *contents)
{
        g_autofree char *directory = g_path_get_dirname(path);

        FILE *f = g_mkdir_with_parents(directory, 0755) < 0 ? NULL : fopen(path, "we"); /* no fsync */

        if (!f || fputs(contents, f) < 0 || fclose(f) != 0)
                g_error("bed: %s: %m", path);
}

static void touch(const char *path)
{
        write_file(path, "");
}

/* ---- properties ---------------------------------------------------------------------- */

/* What is in a string for use in a property: as udev, anything unusual is an underscore. */
static char *safe(const char *s)
{
        char *copy = g_strdup(s);

        for (char *p = copy; *p; p++)
                if (!isalnum((unsigned char)*p) && !strchr("#+-.:=@_/", *p))
                        *p = '_';
        return copy;
}

static void append_property(GString *s, struct bed_board *board, const char *name, const char *value)
{
        const char *own = g_hash_table_lookup(board->properties, name);

        if (own)
                value = own;
        if (*value)
                g_string_append_printf(s, "%s=%s\n", name, value);
}

_printf_(4, 5) static void append_number(GString *s, struct bed_board *board, const char *name,
                                         const char *format, ...)
{
        char value[256];
        va_list ap;

        va_start(ap, format);
        vsnprintf(value, sizeof(value), format, ap);
        va_end(ap);
        append_property(s, board, name, value);
}

static void append_names(GString *s, const struct node *node)
{
        struct bed_board *board = node->board;
        const struct rom *rom = board->rom;
        g_autofree char *vendor = safe(rom_manufacturer(rom)), *model = safe(rom_product(rom));
        g_autofree char *serial = safe(rom_serial(rom));

        append_property(s, board, "ID_BUS", "usb");
        append_property(s, board, "ID_VENDOR_ID", "303a");
        append_number(s, board, "ID_MODEL_ID", "%04x", rom_pid(rom));
        append_number(s, board, "ID_REVISION", "%04x", rom_bcd_device(rom));
        append_property(s, board, "ID_VENDOR", vendor);
        append_property(s, board, "ID_MODEL", model);
        append_property(s, board, "ID_SERIAL_SHORT", serial);
        append_number(s, board, "ID_SERIAL", "%s_%s_%s", vendor, model, serial);
        append_property(s, board, "ID_USB_INTERFACES", ":020200:0a0200:fe0101:");
}

static bool has_property(const char *properties, const char *name)
{
        g_autofree char *inside = g_strdup_printf("\n%s=", name);

        return strstr(properties, inside) || str_has_prefix(properties, inside + 1);
}

static char *properties_of(const struct node *node)
{
        struct bed_board *board = node->board;
        GString *s = g_string_new(NULL);
        GHashTableIter iter;
        gpointer name, value;

        append_property(s, board, "DEVNAME", node->devnode);
        append_property(s, board, "DEVTYPE", "usb_device");
        append_property(s, board, "DRIVER", "usb");
        append_number(s, board, "PRODUCT", "303a/%x/%x", rom_pid(board->rom), rom_bcd_device(board->rom));
        append_property(s, board, "TYPE", "239/2/1");
        append_number(s, board, "BUSNUM", "%03u", node->bus);
        append_number(s, board, "DEVNUM", "%03u", node->devnum);
        append_number(s, board, "MAJOR", "%u", USB_MAJOR);
        append_number(s, board, "MINOR", "%u", minor_of(node->bus, node->devnum));
        append_number(s, board, "USEC_INITIALIZED", "%" PRIu64, node->usec_initialized);
        append_number(s, board, "ID_PATH", "pci-0000:00:%02x.0-usb-0:%s", 0x13 + node->bus,
                      strchr(board->port, '-') + 1);
        append_names(s, node);
        append_property(s, board, "TAGS", ":espdfu:");
        g_hash_table_iter_init(&iter, board->properties);
        while (g_hash_table_iter_next(&iter, &name, &value))
                if (*(char *)value && !has_property(s->str, name))
                        g_string_append_printf(s, "%s=%s\n", (char *)name, (char *)value);
        return g_string_free(s, FALSE);
}

/*
 * What the kernel says itself, in a device's "uevent". The rest is udevd's, and only in its database: by that a program can tell
 * a board that is whole from one whose files are still being written.
 */
static bool is_of_the_kernel(const char *property)
{
        static const char *const names[] = { "DEVNAME=", "DEVTYPE=", "DRIVER=", "PRODUCT=", "TYPE=",
                                             "BUSNUM=",  "DEVNUM=",  "MAJOR=",  "MINOR=" };

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
                if (str_has_prefix(property, names[i]))
                        return true;
        return false;
}

/* ---- events ------------------------------------------------------------------------- */

/* How libudev's monitor filters in the kernel: MurmurHash2 of the strings, and a filter of 64 bits for tags. */
static uint32_t murmur(const char *s)
{
        const uint32_t m = 0x5bd1e995;
        size_t len = strlen(s);
        uint32_t h = (uint32_t)len;

        for (; len >= 4; s += 4, len -= 4) {
                uint32_t k = read_le32(s) * m;

                h = (h * m) ^ ((k ^ k >> 24) * m);
        }
        for (size_t i = len; i > 0; i--)
                h ^= (uint32_t)(uint8_t)s[i - 1] << (8 * (i - 1));
        if (len > 0)
                h *= m;
        h = (h ^ h >> 13) * m;
        return h ^ h >> 15;
}

static uint64_t bloom(const char *tags)
{
        g_auto(GStrv) each = g_strsplit(tags, ":", -1);
        uint64_t bits = 0;

        for (char **tag = each; *tag; tag++)
                for (unsigned shift = 0; **tag && shift <= 18; shift += 6)
                        bits |= UINT64_C(1) << (murmur(*tag) >> shift & 63);
        return bits;
}

/* What stands before the properties in a message of udevd's. */
struct monitor_header {
        char prefix[8];
        uint32_t magic, header_size, properties_offset, properties_len;
        uint32_t subsystem_hash, devtype_hash, tags_high, tags_low;
};

static void send_to(const char *path, const GByteArray *message)
{
        const struct timeval patience = { .tv_sec = LISTENER_SEC };
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                g_error("bed: socket: %m");
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        if (sendto(fd, message->data, message->len, 0, (const struct sockaddr *)&address, sizeof(address)) <
            0) {
                if (errno == ECONNREFUSED) /* a listener that has ended */
                        unlink(path);
                else if (errno != ENOENT)
                        fprintf(stderr, "bed: event lost on %s: %m\n", path);
        }
        close(fd);
}

/* A message, and who listened when it happened. */
struct event {
        GByteArray *message; /* owned; NULL: there will be no more */
        glob_t listeners;    /* owned */
};

/*
 * A thread of its own: a queue of ten datagrams is all that a listener has, and one that is slow may wait for the bed, or for
 * umockdev, which waits for the bed. Who sends while it has the bed's lock would wait for itself.
 */
static void *udev_main(void *userdata)
{
        struct bed *bed = userdata;
        bool more = true;

        while (more) {
                struct event *event = g_async_queue_pop(bed->events);

                more = event->message;
                for (size_t i = 0; more && i < event->listeners.gl_pathc; i++)
                        send_to(event->listeners.gl_pathv[i], event->message);
                if (more) {
                        globfree(&event->listeners);
                        g_byte_array_unref(event->message);
                }
                g_free(event);
        }
        return NULL;
}

void bed_start_udev(struct bed *bed)
{
        g_autofree char *control = g_strdup_printf("%s/run-udev/control", bed->root);

        touch(control); /* by which programs see that there is a udevd */
        bed->events = g_async_queue_new();
        bed->udev = g_thread_new("udev", udev_main, bed);
}

void bed_stop_udev(struct bed *bed)
{
        g_async_queue_push(bed->events, g_new0(struct event, 1));
        g_thread_join(bed->udev);
        g_async_queue_unref(bed->events);
}

static void broadcast(struct bed *bed, const char *action, const char *syspath, const char *properties,
                      const char *tags)
{
        g_autofree char *pattern = g_strdup_printf("%s/event[0-9]*", bed->root);
        GByteArray *message = g_byte_array_new();
        struct event *event = g_new0(struct event, 1);
        g_autofree char *text = g_strdup_printf("ACTION=%s\nDEVPATH=%s\nSUBSYSTEM=usb\nSEQNUM=%llu\n%s",
                                                action, syspath + strlen("/sys"), ++bed->seqnum, properties);
        uint64_t bits = bloom(tags);
        struct monitor_header header = {
                .prefix = "libudev",
                .magic = htonl(0xfeedcafe),
                .header_size = sizeof(header),
                .properties_offset = sizeof(header),
                .properties_len = (uint32_t)strlen(text),
                .subsystem_hash = htonl(murmur("usb")),
                .devtype_hash = htonl(murmur("usb_device")),
                .tags_high = htonl((uint32_t)(bits >> 32)),
                .tags_low = htonl((uint32_t)bits),
        };
        g_byte_array_append(message, (const guint8 *)&header, sizeof(header));
        g_byte_array_append(message, (const guint8 *)text, header.properties_len);
        for (size_t i = sizeof(header); i < message->len; i++)
                if (message->data[i] == '\n')
                        message->data[i] = '\0';
        event->message = message;
        if (glob(pattern, GLOB_NOSORT, NULL, &event->listeners) != 0)
                event->listeners = (glob_t){ 0 };
        g_async_queue_push(bed->events, event);
}

void node_send_uevent(struct bed *bed, const struct node *node, const char *action)
{
        g_autofree char *properties = g_strdup_printf("%sCURRENT_TAGS=%s\n", node->properties, node->tags);

        broadcast(bed, action, node->syspath, properties, node->tags);
}

/* ---- udev's database ------------------------------------------------------------------ */

/* Whoever reads it finds all of it, or none. */
static void write_at_once(struct bed *bed, const char *path, const char *contents)
{
        g_autofree char *directory = g_path_get_dirname(path);
        g_autofree char *unfinished = g_strdup_printf("%s/run-udev/unfinished", bed->root);

        write_file(unfinished, contents);
        if (g_mkdir_with_parents(directory, 0755) < 0 || rename(unfinished, path) < 0)
                g_error("bed: %s: %m", path);
}

static char *database_path(struct bed *bed, const char *of, const struct node *node)
{
        return g_strdup_printf("%s/run-udev/%s/c%u:%u", bed->root, of, USB_MAJOR,
                               minor_of(node->bus, node->devnum));
}

/* Calls use() with the path of the node's file for each of its tags. */
static void each_tag_file(struct bed *bed, const struct node *node, void (*use)(const char *path))
{
        g_auto(GStrv) tags = g_strsplit(node->tags, ":", -1);

        for (char **tag = tags; *tag; tag++) {
                g_autofree char *of = g_strdup_printf("tags/%s", *tag);
                g_autofree char *path = database_path(bed, of, node);

                if (**tag)
                        use(path);
        }
}

static void delete (const char *path)
{
        unlink(path);
}

static void database_add(struct bed *bed, const struct node *node)
{
        g_autofree char *path = database_path(bed, "data", node);
        g_autoptr(GString) s = g_string_new(NULL);
        g_auto(GStrv) lines = g_strsplit(node->properties, "\n", -1);
        g_auto(GStrv) tags = g_strsplit(node->tags, ":", -1);

        g_string_append_printf(s, "I:%" PRIu64 "\n", node->usec_initialized);
        for (char **line = lines; *line; line++)
                if (**line && !is_of_the_kernel(*line) && !str_has_prefix(*line, "TAGS=") &&
                    !str_has_prefix(*line, "USEC_INITIALIZED="))
                        g_string_append_printf(s, "E:%s\n", *line);
        for (char **tag = tags; *tag; tag++)
                if (**tag)
                        g_string_append_printf(s, "G:%s\nQ:%s\n", *tag, *tag);
        g_string_append(s, "V:1\n");
        each_tag_file(bed, node, touch);
        write_at_once(bed, path, s->str);
}

static void database_remove(struct bed *bed, const struct node *node)
{
        g_autofree char *path = database_path(bed, "data", node);

        unlink(path);
        each_tag_file(bed, node, delete);
}

/* ---- sysfs ---------------------------------------------------------------------------- */

static void add_description(struct bed *bed, const char *description)
{
        g_autoptr(GError) error = NULL;

        if (!umockdev_testbed_add_from_string(bed->testbed, description, &error))
                g_error("bed: %s in:\n%s", error->message, description);
}

static void append_attributes(GString *s, const struct node *node)
{
        const struct bed_board *board = node->board;
        const struct rom *rom = board->rom;

        g_string_append_printf(s, "A: busnum=%u\nA: devnum=%u\nA: devpath=%s\nA: speed=" SPEED_FULL "\n",
                               node->bus, node->devnum, strchr(board->port, '-') + 1);
        g_string_append_printf(s, "A: dev=%u:%u\n", USB_MAJOR, minor_of(node->bus, node->devnum));
        g_string_append_printf(s, "A: idVendor=303a\nA: idProduct=%04x\nA: bcdDevice=%04x\n", rom_pid(rom),
                               rom_bcd_device(rom));
        g_string_append_printf(s, "A: manufacturer=%s\nA: product=%s\nA: serial=%s\n", rom_manufacturer(rom),
                               rom_product(rom), rom_serial(rom));
        g_string_append(s,
                        "A: bConfigurationValue=1\nA: bNumConfigurations=1\nA: bNumInterfaces= 3\n"
                        "A: bDeviceClass=ef\nA: bDeviceSubClass=02\nA: bDeviceProtocol=01\n"
                        "A: bMaxPacketSize0=64\nA: bMaxPower=500mA\nA: bmAttributes=c0\nA: version= 2.00\n");
}

void node_add(struct bed *bed, struct node *node)
{
        g_autoptr(GString) s = g_string_new(NULL);
        g_auto(GStrv) lines = NULL;
        uint8_t descriptors[18 + ROM_CONFIGURATION_SIZE];
        const char *tags;

        rom_device_descriptor(node->board->rom, descriptors);
        rom_configuration_descriptor(node->board->rom, descriptors + 18);
        tags = g_hash_table_lookup(node->board->properties, "TAGS");
        node->tags = g_strdup(tags ? tags : ":espdfu:");
        node->properties = properties_of(node);
        g_string_append_printf(s, "P: %s\nN: %s=", node->syspath + strlen("/sys"),
                               node->devnode + strlen("/dev/"));
        append_hex(s, descriptors, sizeof(descriptors));
        g_string_append(s, "\nE: SUBSYSTEM=usb\n");
        lines = g_strsplit(node->properties, "\n", -1);
        for (char **line = lines; *line; line++)
                if (is_of_the_kernel(*line))
                        g_string_append_printf(s, "E: %s\n", *line);
        append_attributes(s, node);
        g_string_append(s, "H: descriptors=");
        append_hex(s, descriptors, sizeof(descriptors));
        g_string_append(s, "\n\n");
        add_description(bed, s->str);
        database_add(bed, node);
}

void node_remove(struct bed *bed, struct node *node)
{
        umockdev_testbed_remove_device(bed->testbed, node->syspath);
        database_remove(bed, node);
        node_send_uevent(bed, node, "unbind");
        node_send_uevent(bed, node, "remove");
}

/* ---- hubs ------------------------------------------------------------------------------- */

#define HUB_PORTS 16 /* of one that is made on the way to a board */

/* What udev says of it; devpath: "4.1", "0" for the one in the computer. */
static char *hub_properties(unsigned bus, unsigned devnum, const char *devpath)
{
        bool root = streq(devpath, "0");

        return g_strdup_printf(
                "DEVTYPE=usb_device\nDEVNAME=/dev/bus/usb/%03u/%03u\nPRODUCT=1d6b/2/100\nTYPE=9/0/1\n"
                "BUSNUM=%03u\nDEVNUM=%03u\nMAJOR=%u\nMINOR=%u\nID_PATH=pci-0000:00:%02x.0%s%s\n",
                bus, devnum, bus, devnum, USB_MAJOR, minor_of(bus, devnum), 0x13 + bus,
                root ? "" : "-usb-0:", root ? "" : devpath);
}

/* A hub of high speed, with nothing that anybody would ask it. Its properties, to be freed. */
static char *add_hub(struct bed *bed, unsigned bus, const char *syspath, const char *devpath,
                     unsigned n_ports)
{
        static const uint8_t descriptors[] = {
                0x12, 0x01, 0x00, 0x02, 0x09, 0x00, 0x01, 0x40, 0x6b, 0x1d, 0x02, 0x00, 0x00, 0x01,
                0,    0,    0,    1,    0x09, 0x02, 0x19, 0x00, 0x01, 0x01, 0x00, 0xe0, 0x00, /* */
                0x09, 0x04, 0x00, 0x00, 0x01, 0x09, 0x00, 0x00, 0x00,                         /* */
                0x07, 0x05, 0x81, 0x03, 0x04, 0x00, 0x0c,
        };
        unsigned devnum = bed_take_devnum(bed, bus);
        g_autoptr(GString) s = g_string_new(NULL);
        g_auto(GStrv) lines = NULL;
        char *properties;

        g_string_append_printf(s, "P: %s\nN: bus/usb/%03u/%03u=", syspath + strlen("/sys"), bus, devnum);
        append_hex(s, descriptors, sizeof(descriptors));
        properties = hub_properties(bus, devnum, devpath);
        lines = g_strsplit(properties, "\n", -1);
        g_string_append(s, "\nE: SUBSYSTEM=usb\n");
        for (char **line = lines; *line && **line; line++)
                g_string_append_printf(s, "E: %s\n", *line);
        g_string_append_printf(s, "A: busnum=%u\nA: devnum=%u\nA: devpath=%s\nA: speed=" SPEED_HIGH "\n", bus,
                               devnum, devpath);
        g_string_append_printf(s, "A: dev=%u:%u\nA: idVendor=1d6b\nA: idProduct=0002\nA: bcdDevice=0100\n",
                               USB_MAJOR, minor_of(bus, devnum));
        g_string_append_printf(
                s, "A: bConfigurationValue=1\nA: bDeviceClass=09\nA: maxchild=%u\nH: descriptors=", n_ports);
        append_hex(s, descriptors, sizeof(descriptors));
        g_string_append(s, "\n\n");
        add_description(bed, s->str);
        return properties;
}

static bool has_device(struct bed *bed, const char *syspath)
{
        g_autofree char *uevent = g_strdup_printf("%s%s/uevent", bed->root, syspath);

        return g_file_test(uevent, G_FILE_TEST_EXISTS);
}

void bed_add_hubs(struct bed *bed, const char *port)
{
        unsigned bus = (unsigned)strtoul(port, NULL, 10);
        g_autofree char *syspath = g_malloc0(256);
        g_autofree char *upper = g_strdup(port);
        char *cut;

        if (!strchr(port, '-'))
                g_error("bed: port %s, expected a port path such as 1-4.1", port);
        cut = strrchr(upper, '.');
        if (cut) {
                *cut = '\0';
                bed_add_hubs(bed, upper);
                port_syspath(upper, syspath, 256);
        } else {
                *strchr(upper, '-') = '\0';
                snprintf(syspath, 256, "/sys/devices/pci0000:00/0000:00:%02x.0/usb%u", 0x13 + bus, bus);
        }
        if (!has_device(bed, syspath))
                g_free(add_hub(bed, bus, syspath, cut ? strchr(upper, '-') + 1 : "0", HUB_PORTS));
}

void bed_plug_hub(struct bed *bed, const char *port, unsigned n_ports)
{
        unsigned bus = (unsigned)strtoul(port, NULL, 10);
        g_autofree char *syspath = g_malloc0(256), *properties = NULL;

        bed_add_hubs(bed, port);
        port_syspath(port, syspath, 256);
        if (has_device(bed, syspath))
                g_error("bed: port %s: expected nothing there", port);
        properties = add_hub(bed, bus, syspath, strchr(port, '-') + 1, n_ports);
        broadcast(bed, "add", syspath, properties, "");
}

void bed_pull_hub(struct bed *bed, const char *port)
{
        g_autofree char *syspath = g_malloc0(256), *properties = g_strdup("DEVTYPE=usb_device\n");

        port_syspath(port, syspath, 256);
        if (!has_device(bed, syspath))
                g_error("bed: port %s: expected a hub there", port);
        umockdev_testbed_remove_device(bed->testbed, syspath);
        broadcast(bed, "remove", syspath, properties, "");
}
