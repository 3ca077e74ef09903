/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/policy-image.h"

#include <stdio.h>

#include "core/dfu-suffix.h"

int policy_parse_image(const struct config_policy *policy, const uint8_t *data, size_t len,
                       struct findings *findings, struct image **ret)
{
        switch (policy->mode) {
        case POLICY_MODE_ROM:
                return image_parse(data, len, findings, ret);
        case POLICY_MODE_ANY:
                return image_parse_suffix_only(data, len, findings, ret);
        case POLICY_MODE_MAX_:
                break;
        }
        return -EINVAL;
}

bool image_is_for(const struct image *image, uint16_t vid, uint16_t pid)
{
        /* A suffix for every device: then what is inside says for which chip it is, as far as it says it. */
        bool any_pid = image->pid == DFU_ID_ANY && (!image->chip || image->chip->pid == pid);

        return (image->vid == DFU_ID_ANY || image->vid == vid) && (any_pid || image->pid == pid);
}

static int explain_pin(const struct config_policy *policy, const uint8_t sha256[static SHA256_SIZE],
                       char **ret_why)
{
        char pin[SHA256_HEX], found[SHA256_HEX];

        hex_encode(policy->sha256, sizeof(policy->sha256), pin);
        hex_encode(sha256, SHA256_SIZE, found);
        return asprintf(ret_why, "SHA-256 is %s: expected %s", found, pin) < 0 ? -ENOMEM : 1;
}

int policy_check_image(const struct config_policy *policy, const struct image *image,
                       const uint8_t sha256[static SHA256_SIZE], char **ret_why)
{
        if (policy->has_sha256 && memcmp(sha256, policy->sha256, SHA256_SIZE) != 0)
                return explain_pin(policy, sha256, ret_why);
        if (policy->chip && !image_is_for(image, ESP_VENDOR_ID, policy->chip->pid))
                return asprintf(ret_why, "made for %04x:%04x: expected %04x:%04x (chip = %s)", image->vid,
                                image->pid, (unsigned)ESP_VENDOR_ID, policy->chip->pid,
                                policy->chip->name) < 0
                               ? -ENOMEM
                               : 1;
        return 0;
}
