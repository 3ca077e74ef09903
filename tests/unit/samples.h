/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Texts and messages that are right, for the unit tests of what reads them and as what fuzzing begins with. */
#pragma once

#include "core/status.h"

#define SAMPLE_SHA256 "6192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6fFF"

/* Every key but those of ranges, once. */
#define CONFIG_EVERYTHING                                                                                    \
        "[station]\nname = line3-a\njobs-max = 12\nreattach-time = 500ms\nreturn-time = "                    \
        "1min\nstop-time = 2min\n"                                                                           \
        "[slot A1]\npath = pci-0000:00:14.0-usb-0:4.1\n"                                                     \
        "[slot A2]\nport = 1-4.2\n"                                                                          \
        "[hub left]\npath = pci-0000:00:14.0-usb-0:4\njobs-max = 8\n"                                        \
        "[hub right]\nport = 1-5\n"                                                                          \
        "[policy gizmo]\nchip = esp32s3\nslot = A*\nport = 1-*\npath = pci-*\nserial = 7c:*\nmode = "        \
        "any\n"                                                                                              \
        "image = /srv/gizmo.bin\nsha256 = " SAMPLE_SHA256                                                    \
        "\naction = hold\nattempts = 20\nretry-delay = 1500ms\n"                                             \
        "after = reset\nreflash = never\nsignature = required\n"

/* The file in which the hubs of a range are kept. */
#define LAYOUT_OF_A_RANGE                                                                                    \
        "{\"ranges\": [{\"range\": \"1-2.*\", \"hubs\": [{\"below\": \"1-2.\", \"n_ports\": 4}]}]}"

/* As ESP-IDF 5 writes it, but for the values. */
#define FLASHER_ARGS_OF_A_BUILD                                                                              \
        "{ \"write_flash_args\": [\"--flash_mode\", \"dio\"],"                                               \
        "  \"flash_settings\": { \"flash_mode\": \"dio\", \"flash_size\": \"4MB\", \"flash_freq\": "         \
        "\"80m\" },"                                                                                         \
        "  \"flash_files\": { \"0x10000\": \"gizmo.bin\", \"4096\": \"bootloader/bootloader.bin\" },"        \
        "  \"bootloader\": { \"offset\": \"0x1000\", \"file\": \"x\", \"encrypted\": \"false\" },"           \
        "  \"extra_esptool_args\": { \"after\": \"no_reset\", \"stub\": true, \"chip\": \"esp32s2\" "        \
        "} }"

/* Lines: a board behind a bad cable, as dmesg shows it. */
#define KERNEL_BAD_CABLE                                                                                     \
        "[   95.1] usb 1-4: new full-speed USB device number 5 using xhci_hcd",                              \
                "[   95.2] usb 1-4: device descriptor read/64, error -71",                                   \
                "[   95.5] usb 1-4: device descriptor read/64, error -71",                                   \
                "[   96.1] usb 1-4: Device not responding to setup address.",                                \
                "[   96.7] usb 1-4: device not accepting address 6, error -71",                              \
                "[   96.8] usb usb1-port4: unable to enumerate USB device"

/* A message with a full slot, an empty one, and a policy; the texts are borrowed. */
static inline struct status_update sample_status(struct slot_status slots[2], struct policy_status *policy,
                                                 char **gone)
{
        slots[0] = (struct slot_status){
                .slot = (char *)"A1",
                .port = (char *)"1-4.1",
                .path = (char *)"pci-0000:00:14.0-usb-0:4.1",
                .chip = (char *)"esp32s3",
                .mac = (char *)"7c:df:a1:0b:00:12",
                .policy = (char *)"gizmo",
                .image_name = (char *)"gizmo",
                .image_version = (char *)"1.4.2",
                .data_file = (char *)"/srv/gizmo/nvs/unit-9.bin",
                .phase = PHASE_DOWNLOADING,
                .bytes_done = 52,
                .bytes_total = 100,
                .rate = 61000,
                .left_usec = 2100000,
                .elapsed_usec = 5,
                .attempt = 1,
                .attempts_max = 3,
                .last_verdict = VERDICT_BOARD_LEFT,
                .last_realtime_usec = 1700000000000000,
                .last_message = (char *)"board left at 24 kB",
        };
        slots[1] = (struct slot_status){ .slot = (char *)"A2", .left_usec = USEC_INFINITY };
        *policy = (struct policy_status){ .name = (char *)"gizmo", .unusable = (char *)"no such file" };
        gone[0] = (char *)"A9";
        return (struct status_update){
                .whole = true,
                .gone = gone,
                .n_gone = 1,
                .station = { .name = (char *)"line3-a",
                             .version = (char *)"0.1.0",
                             .uptime_usec = 7,
                             .flashed_today = 1284,
                             .failed_today = 4,
                             .first_pass_today = 1270,
                             .flashed_last_hour = 96,
                             .held = (char *)"held by joe: new jig",
                             .running = 1,
                             .waiting = 2,
                             .failed = 3,
                             .slots = slots,
                             .n_slots = 2,
                             .policies = policy,
                             .n_policies = 1 },
        };
}
