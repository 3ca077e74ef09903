/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "core/config-keys.h"
#include "core/config-values.h"
#include "core/digest.h"
#include "core/glob.h"
#include "core/slot-range.h"

static const char *const section_words[CONFIG_SECTION_MAX_] = {
        [CONFIG_STATION] = "station",
        [CONFIG_SLOT] = "slot",
        [CONFIG_HUB] = "hub",
        [CONFIG_POLICY] = "policy",
};
DEFINE_WORDS(config_section, section_words)

static int parse_unsigned(const struct config_key *key, const char *value, void *field)
{
        uint64_t number = 0;
        int r = value_number(value, key->min, key->max, &number);

        if (r == 0)
                *(unsigned *)field = (unsigned)number;
        return r;
}

static int parse_time(const struct config_key *key, const char *value, void *field)
{
        return value_time(value, key->max, field);
}

/* "365d"; "none" and "0" are 0. A number without its unit is refused: it could be taken for seconds. */
static int parse_days(const struct config_key *key, const char *value, void *field)
{
        uint64_t days = 0;

        if (!streq(value, "none") && !streq(value, "0")) {
                int r = value_days(value, key->min, key->max, &days);

                if (r < 0)
                        return r;
        }
        *(uint64_t *)field = days * 24 * 3600 * USEC_PER_SEC;
        return 0;
}

static int parse_station_name(const struct config_key *key, const char *value, void *field)
{
        return value_is_name(value, key->max) ? free_and_strdup(field, value) : -EINVAL;
}

static int parse_port(const struct config_key *key, const char *value, void *field)
{
        (void)key;
        return value_is_port(value) ? free_and_strdup(field, value) : -EINVAL;
}

static int parse_id_path(const struct config_key *key, const char *value, void *field)
{
        (void)key;
        return value_is_id_path(value) ? free_and_strdup(field, value) : -EINVAL;
}

/* A slot's, or that of a range of slots; which of them the section wants is known when it has ended. */
static int parse_slot_port(const struct config_key *key, const char *value, void *field)
{
        return value_is_port_range(value) ? free_and_strdup(field, value) : parse_port(key, value, field);
}

static int parse_slot_id_path(const struct config_key *key, const char *value, void *field)
{
        return value_is_path_range(value) ? free_and_strdup(field, value) : parse_id_path(key, value, field);
}

static int parse_glob(const struct config_key *key, const char *value, void *field)
{
        (void)key;
        return glob_fault(value) ? -EINVAL : free_and_strdup(field, value);
}

static int parse_file(const struct config_key *key, const char *value, void *field)
{
        (void)key;
        return value[0] == '/' && value[1] != '\0' ? free_and_strdup(field, value) : -EINVAL;
}

static int parse_chip(const struct config_key *key, const char *value, void *field)
{
        const struct chip *chip = chip_by_name(value);

        (void)key;
        if (!chip)
                return -EINVAL;
        *(const struct chip **)field = chip;
        return 0;
}

static int parse_sha256(const struct config_key *key, const char *value, void *field)
{
        struct config_policy *policy = (void *)((char *)field - key->offset);
        int r = hex_decode(value, policy->sha256, sizeof(policy->sha256));

        if (r == 0)
                policy->has_sha256 = true;
        return r;
}

static int parse_board_data(const struct config_key *key, const char *value, void *field)
{
        struct config_policy *policy = (void *)((char *)field - key->offset);

        return value_place(value, &policy->board_data_address, &policy->board_data);
}

#define PARSE_WORD(name)                                                                                     \
        static int parse_##name(const struct config_key *key, const char *value, void *field)                \
        {                                                                                                    \
                int word = name##_from_string(value);                                                        \
                                                                                                             \
                (void)key;                                                                                   \
                if (word < 0)                                                                                \
                        return word;                                                                         \
                *(enum name *)field = (enum name)word;                                                       \
                return 0;                                                                                    \
        }
PARSE_WORD(policy_mode)
PARSE_WORD(policy_action)
PARSE_WORD(policy_after)
PARSE_WORD(policy_reflash)
PARSE_WORD(policy_signature)

#define STATION(field) offsetof(struct config, field)
#define SLOT(field)    offsetof(struct config_slot, field)
#define HUB(field)     offsetof(struct config_hub, field)
#define POLICY(field)  offsetof(struct config_policy, field)
#define A_GLOB         "a glob such as A* or [1-4]?"

/* clang-format off */
static const struct config_key keys[] = {
        { CONFIG_STATION, "name", NULL, "1 to 64 letters, digits and . _ + : @ -",
          "what the station is called; the host name if not set",
          parse_station_name, NULL, STATION(station_name), .max = 64 },
        { CONFIG_STATION, "jobs-max", "0", "0 (no limit) to 1024",
          "how many boards are flashed at one time",
          parse_unsigned, NULL, STATION(jobs_max), .max = 1024 },
        { CONFIG_STATION, "reattach-time", "60s", "a time such as 500ms, 10s or 1min, at most 1h",
          "how long a board may take to come back on its port after DETACH",
          parse_time, NULL, STATION(reattach_time_usec), .max = 3600 * USEC_PER_SEC },
        { CONFIG_STATION, "return-time", "10s", "a time such as 500ms, 10s or 1min, at most 1h",
          "how long a board that leaves in the middle of it may take to come back, on any port, and go on",
          parse_time, NULL, STATION(return_time_usec), .max = 3600 * USEC_PER_SEC },
        { CONFIG_STATION, "stop-time", "60s", "a time such as 500ms, 10s or 1min, at most 1h",
          "how long running downloads may go on when the daemon is stopped",
          parse_time, NULL, STATION(stop_time_usec), .max = 3600 * USEC_PER_SEC },
        { CONFIG_STATION, "ledger-keep", "none", "none (for ever), or days from 1d to 36500d",
          "how long an attempt stays in the ledger",
          parse_days, NULL, STATION(ledger_keep_usec), .min = 1, .max = 36500 },
        { CONFIG_STATION, "ledger-rows-max", "0", "0 (no limit) to 1000000000",
          "how many attempts the ledger keeps: the oldest go first",
          parse_unsigned, NULL, STATION(ledger_rows_max), .max = 1000000000 },

        { CONFIG_SLOT, "path", NULL, "udev's ID_PATH of the port, such as pci-0000:00:14.0-usb-0:4.1",
          "the port by udev's ID_PATH, which survives reboots; in [slot B*] all below a hub: …-usb-0:2.*",
          parse_slot_id_path, NULL, SLOT(path) },
        { CONFIG_SLOT, "port", NULL, "a port such as 1-4.1",
          "the port by bus and hub ports, in [slot B*] 1-2.*; bus numbers can change with a reboot",
          parse_slot_port, NULL, SLOT(port) },

        { CONFIG_HUB, "path", NULL, "udev's ID_PATH of the port, such as pci-0000:00:14.0-usb-0:4",
          "the hub's own port by udev's ID_PATH; that of a host controller means all of its ports",
          parse_id_path, NULL, HUB(path) },
        { CONFIG_HUB, "port", NULL, "a port such as 1-4",
          "the hub's own port by bus and hub ports; bus numbers can change with a reboot",
          parse_port, NULL, HUB(port) },
        { CONFIG_HUB, "jobs-max", "0", "0 (no limit) to 1024",
          "how many boards below this hub, at any depth, are flashed at one time",
          parse_unsigned, NULL, HUB(jobs_max), .max = 1024 },

        { CONFIG_POLICY, "chip", NULL, "esp32s2, esp32s3, esp32p4 or esp32s31",
          "boards with this chip",
          parse_chip, NULL, POLICY(chip) },
        { CONFIG_POLICY, "slot", NULL, A_GLOB,
          "boards in slots whose name matches this glob",
          parse_glob, glob_fault, POLICY(slot) },
        { CONFIG_POLICY, "port", NULL, A_GLOB,
          "boards on ports (1-4.1) that match this glob",
          parse_glob, glob_fault, POLICY(port) },
        { CONFIG_POLICY, "path", NULL, A_GLOB,
          "boards on ports whose ID_PATH matches this glob",
          parse_glob, glob_fault, POLICY(path) },
        { CONFIG_POLICY, "serial", NULL, A_GLOB,
          "boards whose serial number matches this glob, in upper or lower case; all but the ESP32-S2 give their MAC",
          parse_glob, glob_fault, POLICY(serial) },
        { CONFIG_POLICY, "mode", "rom", "rom or any",
          "rom: the mask ROM's own DFU alone; any: whatever speaks DFU 1.1",
          parse_policy_mode, NULL, POLICY(mode) },
        { CONFIG_POLICY, "image", NULL, "a file's absolute path",
          "the DFU image to flash",
          parse_file, NULL, POLICY(image) },
        { CONFIG_POLICY, "sha256", NULL, "64 hexadecimal digits",
          "refuse the image unless this is the SHA-256 of its file",
          parse_sha256, NULL, POLICY(sha256) },
        { CONFIG_POLICY, "signature", "none", "none or required",
          "required: refuse the image unless the signature beside it (IMAGE.sig) is by a key of keys.d",
          parse_policy_signature, NULL, POLICY(signature) },
        { CONFIG_POLICY, "board-data", NULL, "ADDRESS:FOLDER, a multiple of 4096 and an absolute path, such as 0x9000:/srv/gizmo/nvs",
          "each board gets a file of its own out of this folder, at this address of the flash",
          parse_board_data, NULL, POLICY(board_data) },
        { CONFIG_POLICY, "action", "flash", "flash, ignore or hold",
          "flash: at once; hold: show it, and wait for espdfuctl release, or until a reload says otherwise; ignore: "
          "leave the board alone",
          parse_policy_action, NULL, POLICY(action) },
        { CONFIG_POLICY, "attempts", "3", "1 to 20",
          "how often a board is tried before it counts as failed",
          parse_unsigned, NULL, POLICY(attempts), .min = 1, .max = 20 },
        { CONFIG_POLICY, "retry-delay", "1s", "a time such as 500ms, 10s or 1min, at most 10min",
          "how long to wait before the next attempt",
          parse_time, NULL, POLICY(retry_delay_usec), .max = 600 * USEC_PER_SEC },
        { CONFIG_POLICY, "after", "stay", "stay or reset",
          "what happens to a flashed board: stay in DFU mode, or a reset",
          parse_policy_after, NULL, POLICY(after) },
        { CONFIG_POLICY, "reflash", "always", "always or never",
          "never: not a board that the ledger says has this very image; needs a chip that tells its MAC",
          parse_policy_reflash, NULL, POLICY(reflash) },
};
/* clang-format on */
_Static_assert(ARRAY_SIZE(keys) <= CONFIG_KEYS_MAX, "CONFIG_KEYS_MAX is too small");

const struct config_key *config_key_at(size_t index)
{
        return index < ARRAY_SIZE(keys) ? &keys[index] : NULL;
}

const struct config_key *config_key_find(enum config_section section, const char *name, size_t *ret_index)
{
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
                if (keys[i].section == section && streq(keys[i].name, name)) {
                        *ret_index = i;
                        return &keys[i];
                }
        return NULL;
}

int config_key_set(const struct config_key *key, const char *value, void *object)
{
        return key->parse(key, value, (char *)object + key->offset);
}

int config_set_defaults(enum config_section section, void *object)
{
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                int r = 0;

                if (keys[i].section == section && keys[i].default_value)
                        r = config_key_set(&keys[i], keys[i].default_value, object);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* How many letters must be put in, taken out or replaced to make b of a; both cut at 31 letters. */
static size_t edit_distance(const char *a, const char *b)
{
        size_t row[32], n = MIN(strlen(b), ARRAY_SIZE(row) - 1);

        for (size_t k = 0; k <= n; k++)
                row[k] = k;
        for (size_t i = 0; i < ARRAY_SIZE(row) - 1 && a[i]; i++) {
                size_t diagonal = row[0];

                row[0] = i + 1;
                for (size_t k = 0; k < n; k++) {
                        size_t replaced = diagonal + (a[i] != b[k]);
                        size_t put_or_taken = MIN(row[k], row[k + 1]) + 1;

                        diagonal = row[k + 1];
                        row[k + 1] = MIN(replaced, put_or_taken);
                }
        }
        return row[n];
}

const char *config_key_nearest(enum config_section section, const char *name)
{
        const char *nearest = NULL;
        size_t least = 3; /* further than this is another word, not a slip of the keys */

        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                size_t distance = edit_distance(name, keys[i].name);

                if (keys[i].section != section || distance >= least ||
                    distance >= strlen(keys[i].name) / 2 + 1)
                        continue;
                least = distance;
                nearest = keys[i].name;
        }
        return nearest;
}

void config_key_list(enum config_section section, char *buffer, size_t size)
{
        size_t n = 0, last = 0;

        for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
                if (keys[i].section == section)
                        last = i;
        for (size_t i = 0; i <= last && n < size; i++) {
                const char *glue = n == 0 ? "" : i == last ? " or " : ", ";

                if (keys[i].section == section)
                        n += (size_t)snprintf(buffer + n, size - n, "%s%s", glue, keys[i].name);
        }
}
