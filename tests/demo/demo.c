/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `./bootstrap demo`: a station at work, without hardware, root or kernel. The boards are models of the chip's mask ROM
 * (tests/rom); espdfud, espdfu-engine and espdfuctl are the real ones. Ends with 0 only if every board carries its image
 * and the rest was as it should be; leaves nothing behind, also after Ctrl-C.
 */
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/demo/screen.h"

#include <glib-unix.h>

#include "core/messages.h"
#include "tests/demo/firmware.h"
#include "tests/rom/bed.h"

#define PLUG_EVERY  (USEC_PER_SEC)
#define DRAW_EVERY  (USEC_PER_SEC / 5)
#define LIMIT       (120 * USEC_PER_SEC) /* far more than it takes: a busy machine is no failure */
#define INTERRUPTED (128 + SIGINT)

static const struct firmware gizmo = { "gizmo", "1.4.2", 0x0002, 200000 };
static const struct firmware probe = { "probe", "2.0.0", 0x0009, 260000 };

struct place {
        const char *slot, *port;
        enum rom_chip chip;
        const char *chip_name;
        uint8_t mac[6];
        const struct firmware *firmware; /* NULL: no policy is for it */
        struct bed_board *board;
};

struct demo {
        char *dir; /* of everything; the current directory */
        struct bed *bed;
        struct bed_child *daemon;
        GPid watcher; /* `espdfuctl status --watch`, or 0 */
        uint64_t begun;
        bool interrupted;
};

static struct place places[] = {
        { "A1", "1-4.1", ROM_S2, "ESP32-S2", { 0 }, &gizmo, NULL },
        { "A2", "1-4.2", ROM_S3, "ESP32-S3", { 0x7c, 0xdf, 0xa1, 0x0b, 0x00, 0x12 }, &probe, NULL },
        { "A3", "1-4.3", ROM_S2, "ESP32-S2", { 0 }, &gizmo, NULL },
        { "A4", "1-4.4", ROM_S3, "ESP32-S3", { 0x7c, 0xdf, 0xa1, 0x0b, 0x00, 0x2e }, &probe, NULL },
        { "A5", "1-4.5", ROM_P4, "ESP32-P4", { 0x7c, 0xdf, 0xa1, 0x0b, 0x00, 0x40 }, NULL, NULL },
};

static const char policies[] = "[policy gizmo]\n"
                               "chip = esp32s2\n"
                               "slot = A*\n"
                               "image = %1$s/gizmo.dfu\n"
                               "\n"
                               "[policy probe]\n"
                               "chip = esp32s3\n"
                               "slot = A*\n"
                               "image = %1$s/probe.dfu\n";

static bool failed(const char *format, ...) _printf_(1, 2);

/* Says what is wrong. False, for the caller to return. */
static bool failed(const char *format, ...)
{
        g_autofree char *text = NULL;
        va_list ap;

        screen_end_drawing();
        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);
        screen_line("FAILED: %s", text);
        return false;
}

/* ---- the stage ------------------------------------------------------------------- */

static gboolean on_interrupt(gpointer userdata)
{
        ((struct demo *)userdata)->interrupted = true;
        return G_SOURCE_CONTINUE;
}

/* A directory with a configuration directory in it; our programs first in PATH, and their socket in the environment. */
static bool set_stage(struct demo *demo)
{
        g_autofree char *path = g_strdup_printf("%s:%s", PROGRAMS,
                                                g_getenv("PATH") ? g_getenv("PATH") : "/usr/bin:/bin");
        g_autofree char *socket = NULL;

        demo->dir = g_dir_make_tmp("espdfu-demo-XXXXXX", NULL);
        if (!demo->dir || chdir(demo->dir) < 0 || mkdir("conf", 0755) < 0 ||
            mkdir("conf/espdfud.conf.d", 0755) < 0)
                return failed("no directory for the demo: %s", strerror(errno));
        socket = g_strdup_printf("%s/socket", demo->dir);
        g_setenv("ESPDFU_SOCKET", socket, TRUE);
        g_setenv("PATH", path, TRUE);
        g_unix_signal_add(SIGINT, on_interrupt, demo);
        g_unix_signal_add(SIGTERM, on_interrupt, demo);
        g_unix_signal_add(SIGHUP, on_interrupt, demo);
        demo->bed = bed_new();
        return true;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        (void)st, (void)type, (void)ftw;
        return remove(path);
}

static void end_watcher(struct demo *demo)
{
        if (!demo->watcher)
                return;
        kill(demo->watcher, SIGTERM);
        waitpid(demo->watcher, NULL, 0);
        demo->watcher = 0;
}

static void clear_stage(struct demo *demo)
{
        end_watcher(demo);
        bed_free(demo->bed);
        if (chdir("/") == 0 && demo->dir)
                nftw(demo->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        g_free(demo->dir);
}

static bool was_interrupted(void *userdata)
{
        return ((struct demo *)userdata)->interrupted;
}

/* False when somebody wants the demo to end. */
static bool pass_time(struct demo *demo, uint64_t usec)
{
        return !bed_wait(demo->bed, was_interrupted, demo, usec);
}

/* ---- firmware and configuration ------------------------------------------------------ */

static bool build_image(const struct firmware *firmware, const char *chip, const char *bootloader_address)
{
        g_autofree char *output = g_strdup_printf("%s.dfu", firmware->name);
        g_autofree char *bootloader = g_strdup_printf("%s-bootloader.bin", firmware->name);
        g_autofree char *partitions = g_strdup_printf("%s-partitions.bin", firmware->name);
        g_autofree char *app = g_strdup_printf("%s-app.bin", firmware->name);
        const char *const build[] = { "espdfuctl", "image",
                                      "build",     "--chip",
                                      chip,        "--flash-size",
                                      "4MB",       "-o",
                                      output,      bootloader_address,
                                      bootloader,  "0x8000",
                                      partitions,  "0x10000",
                                      app,         NULL };
        int r = firmware_write(firmware, ".");

        if (r < 0)
                return failed("firmware cannot be written: %s", strerror(-r));
        return screen_command(build) == 0 || failed("the image was not built");
}

static bool build_images(void)
{
        screen_heading("1. Images");
        screen_say("What a board gets is one DFU image: bootloader, partition table and application, as "
                   "`idf.py dfu` "
                   "makes it. Here espdfuctl makes two.");
        return build_image(&gizmo, "esp32s2", "0x1000") && build_image(&probe, "esp32s3", "0x0");
}

/* The default configuration as it is installed, and a file of our own beside it. */
static bool configure(const struct demo *demo)
{
        g_autofree char *rules = g_strdup_printf(policies, demo->dir), *vendor = NULL;
        g_autoptr(GString) text = g_string_new("[station]\nname = demo\n\n");
        g_auto(GStrv) lines = g_strsplit(rules, "\n", -1);
        gsize size;

        for (unsigned i = 1; i <= 6; i++)
                g_string_append_printf(text, "[slot A%u]\npath = pci-0000:00:14.0-usb-0:4.%u\n\n", i, i);
        g_string_append(text, rules);
        if (!g_file_get_contents(TOP_SRCDIR "/conf/espdfud.conf", &vendor, &size, NULL) ||
            !g_file_set_contents("conf/espdfud.conf", vendor, (gssize)size, NULL) ||
            !g_file_set_contents("conf/espdfud.conf.d/demo.conf", text->str, -1, NULL))
                return failed("the configuration cannot be written");
        screen_heading("2. Configuration");
        screen_say("The default configuration, and one file beside it: slots A1 to A6, each a port of a hub, "
                   "and two "
                   "policies, which say what board gets what image:");
        screen_line("%s", "");
        for (char **line = lines; *line && line[1]; line++)
                screen_line("%s%s", **line ? "   " : "", *line);
        return true;
}

/* ---- the daemon ---------------------------------------------------------------------- */

static bool is_ready(void *userdata)
{
        struct demo *demo = userdata;

        return demo->interrupted || !bed_child_runs(demo->daemon) ||
               strstr(bed_output(demo->daemon), "is ready on");
}

static bool start_daemon(struct demo *demo)
{
        const char *const argv[] = { PROGRAMS "/espdfud", "--config", "conf", "--state", "state",
                                     "--socket",          "socket",   NULL };

        screen_heading("3. The station");
        screen_say("espdfud, as systemd would start it; only its directories are the demo's.");
        screen_line("$ espdfud --config conf --state state --socket socket &");
        demo->daemon = bed_spawn(demo->bed, argv, NULL);
        if (!bed_wait(demo->bed, is_ready, demo, LIMIT) || !bed_child_runs(demo->daemon))
                return failed("espdfud did not start");
        return !demo->interrupted;
}

static bool stop_daemon(struct demo *demo)
{
        int status;

        bed_kill(demo->daemon, SIGTERM);
        status = bed_wait_child(demo->daemon, LIMIT);
        return status == 0 || failed("espdfud ended with %d", status);
}

/* ---- the boards ---------------------------------------------------------------------- */

static void plug(struct demo *demo, struct place *place)
{
        struct rom_config config = { .chip = place->chip, .timing = rom_timing_realistic };

        memcpy(config.mac, place->mac, sizeof(config.mac));
        screen_note("%4.1f s  an %s is plugged in at %s, port %s",
                    (double)(g_get_monotonic_time() - (gint64)demo->begun) / 1e6, place->chip_name,
                    place->slot, place->port);
        place->board = bed_plug(demo->bed, place->port, &config);
}

static bool ask_status(struct status_update *ret)
{
        static const char *const argv[] = { "espdfuctl", "status", "--json", NULL };
        g_autofree char *text = NULL;
        json_t *json;
        int r = screen_capture(argv, &text);

        if (r != 0)
                return failed("espdfuctl status --json exits with %d: %s", r, text ? text : "");
        json = json_loads(text, 0, NULL);
        r = json ? status_update_from_json(json, ret) : -EPROTO;
        json_decref(json);
        return r == 0 || failed("espdfuctl status --json printed what is no status: %s", text);
}

static const struct slot_status *find_slot(const struct status_update *update, const char *slot)
{
        for (size_t i = 0; i < update->station.n_slots; i++)
                if (streq(update->station.slots[i].slot, slot))
                        return &update->station.slots[i];
        return NULL;
}

/* How many boards are through, flashed or not. False when the daemon does not say. */
static bool count_done(unsigned *ret)
{
        _cleanup_(status_update_done) struct status_update update = { 0 };

        if (!ask_status(&update))
                return false;
        *ret = 0;
        for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
                const struct slot_status *slot = find_slot(&update, places[i].slot);

                if (slot && (slot->phase == PHASE_FLASHED || slot->phase == PHASE_FAILED))
                        ++*ret;
        }
        return true;
}

static bool draw_status(void)
{
        static const char *const argv[] = { "espdfuctl", "status", NULL };
        g_autofree char *text = NULL, *picture = NULL;
        int r = screen_capture(argv, &text);

        if (r != 0)
                return failed("espdfuctl status exits with %d: %s", r, text ? text : "");
        picture = g_strdup_printf("\n%s", text);
        screen_draw(picture);
        return true;
}

/* Where nothing can be drawn: a line for each event. */
static bool start_watcher(struct demo *demo)
{
        static const char *const argv[] = { "espdfuctl", "status", "--watch", NULL };

        return g_spawn_async(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL,
                             NULL, &demo->watcher, NULL) ||
               failed("espdfuctl status --watch does not start");
}

/* Plugs in the boards that a policy is for, one after the other, and shows them until all are through. */
static bool flash_boards(struct demo *demo)
{
        unsigned n_plugged = 0, n_done = 0, n_boards = ARRAY_SIZE(places) - 1;

        screen_heading("4. Four boards");
        screen_say("Each comes as it lies in the bag: in run-time mode. espdfud sees it come, finds its "
                   "policy, and starts "
                   "one espdfu-engine for it, which sends it to DFU mode, waits for it to come back, "
                   "downloads, and has "
                   "the chip verify what it wrote. What follows is `espdfuctl status%s`.",
                   screen_is_live() ? "" : " --watch");
        screen_line("%s", "");
        demo->begun = (uint64_t)g_get_monotonic_time();
        if (!screen_is_live() && !start_watcher(demo))
                return false;
        while (n_done < n_boards) {
                uint64_t now = (uint64_t)g_get_monotonic_time() - demo->begun;

                if (n_plugged < n_boards && now >= n_plugged * PLUG_EVERY)
                        plug(demo, &places[n_plugged++]);
                if ((screen_is_live() && !draw_status()) || !count_done(&n_done))
                        return false;
                if (now > LIMIT) {
                        screen_command((const char *const[]){ "espdfuctl", "status", NULL });
                        return failed("the boards are not through after %g s", (double)LIMIT / 1e6);
                }
                if (!pass_time(demo, DRAW_EVERY))
                        return false;
        }
        end_watcher(demo);
        if (screen_is_live() && !draw_status())
                return false;
        screen_end_drawing();
        return true;
}

/* ---- what came of it ------------------------------------------------------------------- */

static bool slot_is_flashed(const struct status_update *update, const struct place *place)
{
        const struct slot_status *slot = find_slot(update, place->slot);

        if (!slot || slot->phase != PHASE_FLASHED)
                return failed("%s is %s, expected flashed%s%s", place->slot,
                              slot ? phase_to_string(slot->phase) : "not there",
                              slot && slot->last_message ? ": " : "",
                              slot && slot->last_message ? slot->last_message : "");
        if (!streq_ptr(slot->image_name, place->firmware->name) ||
            !streq_ptr(slot->image_version, place->firmware->version))
                return failed("%s shows the image %s %s, expected %s %s", place->slot, slot->image_name,
                              slot->image_version, place->firmware->name, place->firmware->version);
        return true;
}

static bool flash_is_right(struct demo *demo, const struct place *place)
{
        g_autofree char *name = g_strdup_printf("%s.dfu", place->firmware->name), *image = NULL;
        const struct rom *rom = bed_rom(place->board);
        const struct rom_counters *counters = rom_counters(rom);
        bool same, clean;
        gsize size;

        if (!g_file_get_contents(name, &image, &size, NULL))
                return failed("%s cannot be read", name);
        bed_lock(demo->bed);
        same = rom_flash_has_image(rom, (const uint8_t *)image, size);
        clean = counters->completed == 1 && counters->raw_downloads == 0 && counters->violations == 0;
        bed_unlock(demo->bed);
        screen_line("%s  %s  %s %s: %s", place->slot, place->chip_name, place->firmware->name,
                    place->firmware->version,
                    same ? "the flash holds every byte of the image" : "the flash is NOT the image");
        return same && (clean || failed("%s: the board was not written in one clean download", place->slot));
}

static bool compare_flashes(struct demo *demo)
{
        _cleanup_(status_update_done) struct status_update update = { 0 };
        bool right = ask_status(&update);

        screen_heading("5. What is in the flash?");
        screen_say("\"flashed\" is the chip's own word: it has read back every file and compared its MD5. "
                   "The boards "
                   "are models, so the demo can look for itself:");
        for (size_t i = 0; right && i < ARRAY_SIZE(places); i++)
                if (places[i].firmware)
                        right = slot_is_flashed(&update, &places[i]) && flash_is_right(demo, &places[i]);
        return right;
}

static bool is_explained(struct demo *demo, const struct place *place)
{
        _cleanup_(status_update_done) struct status_update update = { 0 };
        const struct slot_status *slot;

        for (unsigned i = 0; i < 50; i++) {
                status_update_done(&update);
                if (!ask_status(&update))
                        return false;
                slot = find_slot(&update, place->slot);
                if (slot && slot->phase == PHASE_NO_POLICY)
                        return true;
                if (!pass_time(demo, DRAW_EVERY))
                        return false;
        }
        return failed("%s is not shown as a board without policy", place->slot);
}

/* A board that no policy is for is left alone, and espdfuctl says why. */
static bool explain_fifth(struct demo *demo)
{
        static const char *const explain[] = { "espdfuctl", "explain", "A5", NULL };
        struct place *place = &places[ARRAY_SIZE(places) - 1];
        bool untouched;

        screen_heading("6. A fifth board, for which no policy is");
        plug(demo, place);
        screen_say("It is left alone. Why, says:");
        if (!is_explained(demo, place))
                return false;
        if (screen_command(explain) != 0)
                return failed("espdfuctl explain failed");
        bed_lock(demo->bed);
        untouched = rom_counters(bed_rom(place->board))->requests[ROM_DNLOAD] == 0 &&
                    rom_counters(bed_rom(place->board))->requests[ROM_DETACH] == 0;
        bed_unlock(demo->bed);
        return untouched || failed("something was sent to the board in %s", place->slot);
}

static bool show_records(void)
{
        static const char *const status[] = { "espdfuctl", "status", NULL };
        static const char *const history[] = { "espdfuctl", "history", NULL };

        screen_heading("7. What stays");
        screen_say("The table, as long as the boards are plugged in; and the ledger's record of each "
                   "attempt, for good.");
        if (screen_command(status) != 0)
                return failed("espdfuctl status failed");
        screen_line("%s", "");
        return screen_command(history) == 0 || failed("espdfuctl history failed");
}

static bool play(struct demo *demo)
{
        screen_say(
                "espdfu, a station that flashes boards as they are plugged in. The boards of this demo are "
                "models of "
                "the chips' mask ROM, with the time that a real chip takes; the programs are the real ones.");
        return build_images() && configure(demo) && start_daemon(demo) && flash_boards(demo) &&
               compare_flashes(demo) && explain_fifth(demo) && show_records() && stop_daemon(demo);
}

int main(void)
{
        struct demo demo = { 0 };
        gint64 begun = g_get_monotonic_time();
        bool right;

        screen_begin();
        right = set_stage(&demo) && play(&demo);
        screen_end_drawing();
        if (!right && !demo.interrupted && demo.daemon)
                screen_line("espdfud said:\n%s", bed_output(demo.daemon));
        clear_stage(&demo);
        screen_line("%s", "");
        if (demo.interrupted)
                screen_line("Interrupted. Nothing is left behind.");
        else if (right)
                screen_line("All is as it should be; it took %.1f s, and nothing is left behind.",
                            (double)(g_get_monotonic_time() - begun) / 1e6);
        return right ? EXIT_SUCCESS : demo.interrupted ? INTERRUPTED : EXIT_FAILURE;
}
