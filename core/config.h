/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The station's configuration, as text becomes it: [station], [slot NAME], [hub NAME], [policy NAME].
 * Pure: whoever reads the files (io/config-dir.h) hands their text in, in order.
 * All errors are collected, so that one go shows them all; each is one line: "FILE:LINE: KEY = VALUE: expected …".
 * The keys themselves are rows of one table, core/config-keys.h.
 * Source: docs/espdfud.conf.5.
 */
#pragma once

#include "core/chip.h"
#include "core/signature.h"
#include "core/words.h"

enum policy_action { POLICY_FLASH, POLICY_IGNORE, POLICY_HOLD, POLICY_ACTION_MAX_ };
DECLARE_WORDS(policy_action)

enum policy_mode { POLICY_MODE_ROM, POLICY_MODE_ANY, POLICY_MODE_MAX_ };
DECLARE_WORDS(policy_mode)

enum policy_after { POLICY_STAY, POLICY_RESET, POLICY_AFTER_MAX_ };
DECLARE_WORDS(policy_after)

enum policy_reflash { POLICY_REFLASH_ALWAYS, POLICY_REFLASH_NEVER, POLICY_REFLASH_MAX_ };
DECLARE_WORDS(policy_reflash)

enum policy_signature { POLICY_SIGNATURE_NONE, POLICY_SIGNATURE_REQUIRED, POLICY_SIGNATURE_MAX_ };
DECLARE_WORDS(policy_signature)

/* Bounds on what a configuration may say. */
#define CONFIG_FILE_MAX     (256 * KIB) /* bytes in one file */
#define CONFIG_FILES_MAX    256
#define CONFIG_SLOTS_MAX    512
#define CONFIG_HUBS_MAX     64
#define CONFIG_POLICIES_MAX 512
/* Bytes in one line, comments apart: what inih's buffer of 200 takes with "\n" and NUL. */
#define CONFIG_LINE_MAX   198
#define CONFIG_NAME_MAX   32  /* bytes in the name of a slot, a hub or a policy */
#define CONFIG_ERRORS_MAX 100 /* further ones are counted, not kept */

/* Where something was said; file is owned by whoever holds this. */
struct config_origin {
        char *file;
        unsigned line;
};

struct config_slot {
        char *name;
        char *path; /* udev's ID_PATH, or NULL */
        char *port; /* port path, "1-4.1", or NULL; exactly one of the two is set */
        struct config_origin origin;
};

/* What is plugged in below a port, at any depth. */
struct config_hub {
        char *name;
        char *path;        /* udev's ID_PATH of that port, or NULL */
        char *port;        /* port path, "1-4", or NULL; exactly one of the two is set */
        unsigned jobs_max; /* 0: no limit */
        struct config_origin origin;
};

struct config_policy {
        char *name;
        /* What must match; NULL matches everything. All but chip are globs (core/glob.h). */
        const struct chip *chip;
        char *slot;
        char *port;
        char *path;
        char *serial;
        enum policy_mode mode;
        /* What to do. */
        enum policy_action action;
        char *image; /* absolute path; set when action is flash */
        uint8_t sha256[32];
        bool has_sha256;
        enum policy_signature signature;
        char *board_data;            /* absolute path of a folder, one file for each board; or NULL … */
        uint32_t board_data_address; /* … and where in flash it goes: a multiple of 4096 */
        unsigned attempts;           /* 1 to 20 */
        uint64_t retry_delay_usec;   /* before the second attempt */
        enum policy_after after;
        enum policy_reflash reflash;
        struct config_origin origin;
};

struct config {
        char *station_name;          /* NULL: the host name */
        unsigned jobs_max;           /* 0: no limit */
        uint64_t reattach_time_usec; /* how long a board may take to come back on its port after DETACH */
        uint64_t return_time_usec;   /* how long one that left in mid-job may, if it tells its MAC */
        uint64_t stop_time_usec;     /* how long running downloads may go on after SIGTERM */
        uint64_t ledger_keep_usec;   /* older rows of the ledger may go; 0: none */
        unsigned ledger_rows_max;    /* the oldest rows above this may go; 0: no limit */
        struct config_slot *slots;   /* in the order read */
        size_t n_slots;
        /* [slot B*]: in the order read, path or port with the * too. Their slots stand in slots, behind the others, once
         * config_add_range_slots() has put them there (core/slot-range.h). */
        struct config_slot *ranges;
        size_t n_ranges;
        struct config_hub *hubs; /* in the order read */
        size_t n_hubs;
        struct config_policy *policies; /* in the order read: the first that matches wins */
        size_t n_policies;
        struct trusted_keys keys; /* of keys.d; whoever reads the files puts them in */
};

/* One line each, owned; total counts those past CONFIG_ERRORS_MAX too. All zero is an empty list. */
struct config_errors {
        char **lines;
        size_t n_lines;
        size_t total;
};

/* An empty configuration with every default of [station]; -ENOMEM. */
int config_new(struct config **ret);
struct config *config_free(struct config *config);
DEFINE_CLEANUP(struct config, config_free)
void config_errors_done(struct config_errors *errors);
/* Appends one formatted line. Never fails: out of memory is counted in total. */
void config_errors_add(struct config_errors *errors, const char *fmt, ...) _printf_(2, 3);

/*
 * Reads one file's text, not NUL-terminated, into config; file names it in messages.
 * A later file may set a key of [station] again; a slot, a hub or a policy is defined once, in one place.
 * What is wrong goes to errors and reading goes on with the next line, so config is to be used only while
 * errors->total is 0. Returns 0 (look at errors->total) or -ENOMEM.
 */
int config_parse(struct config *config, const char *file, const char *text, size_t len,
                 struct config_errors *errors);
