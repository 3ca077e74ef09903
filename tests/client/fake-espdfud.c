/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fake-espdfud PATH [peer]: the real server on PATH, with the station of the manual behind it, for tests of the client.
 * With "peer" every client is somebody who may only look. Prints "ready" when it listens, obeys lines on stdin, and ends
 * with stdin:
 *   verdict SLOT WORD (an attempt ended so)   ledger WORDS (trouble; none: no more)   lag WORD (the same)   policy NAME
 *   phase SLOT WORD   remove SLOT   progress SLOT BYTES   refuse   unusable   fail   attempts N   slow-cancel   changed
 */
#include <stdio.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "daemon/log.h"
#include "tests/daemon/fake-station.h"

static struct fake_station station;
static struct server *server;
static char *policy_name; /* owned */

static int somebody(int fd, gid_t group, struct server_peer *ret)
{
        (void)fd;
        (void)group;
        *ret = (struct server_peer){ .uid = 1000 };
        return 0;
}

static void set_phase(const char *name, const char *word)
{
        struct slot_status *slot = fake_station_slot(&station, name);
        int phase = phase_from_string(word);

        if (slot && phase >= 0) {
                slot->phase = (enum phase)phase;
                server_slot_changed(server, name, true);
        }
}

/* An attempt ended; its slot is flashed or failed. */
static void end_attempt(const char *name, const char *word)
{
        struct slot_status *slot = fake_station_slot(&station, name);
        int verdict = verdict_from_string(word);

        if (!slot || verdict < 0)
                return;
        slot->last_verdict = (enum verdict)verdict;
        slot->last_realtime_usec += USEC_PER_SEC;
        slot->last_message = verdict == VERDICT_FLASHED ? NULL : TEXT("board left\x1b[2J at 24 kB");
        slot->phase = verdict == VERDICT_FLASHED ? PHASE_FLASHED : PHASE_FAILED;
        server_slot_changed(server, name, true);
}

static void obey(const char *line)
{
        static char *errors[] = { TEXT("line3.conf:14: attempts = 0: expected 1 to 20"),
                                  TEXT("line3.conf:20: colour = red: expected a key of [policy]") };
        char command[32] = "", slot[32] = "", word[32] = "";

        sscanf(line, "%31s %31s %31s", command, slot, word);
        if (streq(command, "phase")) {
                set_phase(slot, word);
        } else if (streq(command, "verdict")) {
                end_attempt(slot, word);
        } else if (streq(command, "ledger")) {
                station.header.ledger_trouble = *slot ? TEXT("No space left on device") : NULL;
                server_changed(server);
        } else if (streq(command, "lag")) {
                station.header.lagging = *slot ? TEXT("consumer bridge is 12345 attempts behind") : NULL;
                server_changed(server);
        } else if (streq(command, "policy")) {
                free(take_ptr(policy_name));
                station.policies[1].name = policy_name = strdup(slot);
                server_changed(server);
        } else if (streq(command, "remove")) {
                fake_station_remove(&station, slot);
                server_slot_changed(server, slot, true);
        } else if (streq(command, "progress") && fake_station_slot(&station, slot)) {
                fake_station_slot(&station, slot)->bytes_done = strtoull(word, NULL, 10);
                server_slot_changed(server, slot, false);
        } else if (streq(command, "refuse")) {
                station.reload = (struct reload_result){ .errors = errors, .n_errors = ARRAY_SIZE(errors) };
                station.header.config_error = errors[0];
        } else if (streq(command, "unusable")) {
                station.policies[1].unusable = TEXT("/srv/probe.bin: no such file\x1b[2J");
                server_changed(server);
        } else if (streq(command, "fail")) {
                station.error = -EIO;
        } else if (streq(command, "slow-cancel")) {
                station.cancel_takes_time = true;
        } else if (streq(command, "changed")) {
                server_changed(server);
        } else if (streq(command, "attempts")) {
                station.n_attempts = (int64_t)strtoull(slot, NULL, 10);
        }
        printf("done\n");
        fflush(stdout);
}

static int on_stdin(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        char line[128];

        (void)fd;
        (void)revents;
        (void)userdata;
        if (!fgets(line, sizeof(line), stdin))
                return sd_event_exit(sd_event_source_get_event(source), 0);
        obey(line);
        return 0;
}

int main(int argc, char **argv)
{
        static struct server_options options = { .fd = -1, .group = "espdfu" };
        sd_event *event;
        int r;

        if (argc < 2)
                return 2;
        options.path = argv[1];
        if (argc > 2 && streq(argv[2], "peer"))
                options.peer = somebody;
        log_set_max_level(LOG_WARNING);
        setvbuf(stdin, NULL, _IONBF, 0);
        fake_station_line3(&station, ((uint64_t)time(NULL) + 100) * USEC_PER_SEC);
        r = sd_event_default(&event);
        if (r >= 0)
                r = sd_event_add_io(event, NULL, STDIN_FILENO, EPOLLIN, on_stdin, NULL);
        if (r >= 0)
                r = server_new(event, &options, &fake_station_ops, &station, &server);
        if (r < 0)
                return 1;
        printf("ready\n");
        fflush(stdout);
        r = sd_event_loop(event);
        server_free(server);
        free(policy_name);
        sd_event_unref(event);
        return r < 0;
}
