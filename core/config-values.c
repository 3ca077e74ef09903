/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/config-values.h"
#include "core/glob.h"
#include "core/image-build.h"
#include "core/place.h"

#define DIGITS "0123456789"

/* Digits at the start of text, at most max in value. Returns how many, 0 where there are none or too large a value. */
static size_t leading_number(const char *text, uint64_t max, uint64_t *ret)
{
        size_t n = strspn(text, DIGITS);
        uint64_t value = 0;

        for (size_t i = 0; i < n; i++) {
                uint64_t digit = (uint64_t)(text[i] - '0');

                if (digit > max || value > (max - digit) / 10)
                        return 0;
                value = value * 10 + digit;
        }
        *ret = value;
        return n;
}

int value_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
        uint64_t value = 0;
        size_t n = leading_number(text, max, &value);

        if (n == 0 || text[n] != '\0' || value < min)
                return -EINVAL;
        *ret = value;
        return 0;
}

int value_time(const char *text, uint64_t max, uint64_t *ret)
{
        static const struct {
                const char *unit;
                uint64_t usec;
        } units[] = {
                { "", USEC_PER_SEC },         { "ms", USEC_PER_MSEC },         { "s", USEC_PER_SEC },
                { "min", 60 * USEC_PER_SEC }, { "h", 60 * 60 * USEC_PER_SEC },
        };
        uint64_t value = 0;
        size_t n = leading_number(text, UINT32_MAX, &value);

        if (n == 0)
                return -EINVAL;
        n += strspn(text + n, " ");
        for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
                if (!streq(text + n, units[i].unit))
                        continue;
                if (value > max / units[i].usec)
                        return -EINVAL;
                *ret = value * units[i].usec;
                return 0;
        }
        return -EINVAL;
}

int value_days(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
        uint64_t days = 0;
        size_t n = leading_number(text, max, &days);

        if (n == 0 || !streq(text + n, "d") || days < min)
                return -EINVAL;
        *ret = days;
        return 0;
}

bool value_is_name(const char *text, size_t max)
{
        static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" DIGITS "._+:@-";
        size_t len = strlen(text);

        return len > 0 && len <= max && strspn(text, letters) == len && !strchr("._+:@-", text[0]);
}

/* Ports with dots between them, "4.1", and nothing else. */
static bool is_port_chain(const char *text)
{
        for (unsigned level = 0; level < PLACE_DEPTH_MAX; level++) {
                uint64_t port = 0;
                size_t n = leading_number(text, 255, &port);

                if (n == 0 || text[0] == '0')
                        return false;
                if (text[n] == '\0')
                        return true;
                if (text[n] != '.')
                        return false;
                text += n + 1;
        }
        return false;
}

bool value_is_port(const char *text)
{
        uint64_t bus = 0;
        size_t n = leading_number(text, 999, &bus);

        return n > 0 && text[0] != '0' && text[n] == '-' && is_port_chain(text + n + 1);
}

bool value_is_id_path(const char *text)
{
        const char *usb = strstr(text, PLACE_USB_MARK);

        for (const char *s = text; *s; s++)
                if (*s <= ' ' || *s > '~')
                        return false;
        if (*text == '\0' || glob_is_glob(text))
                return false;
        return !usb || is_port_chain(usb + strlen(PLACE_USB_MARK));
}

/* One spelling for one path, so that two policies with one folder share it: no "//", no "/" at the end. */
static void tidy_path(char *path)
{
        size_t n = 0;

        for (const char *s = path; *s; s++)
                if (*s != '/' || (n > 0 && path[n - 1] != '/') || n == 0)
                        path[n++] = *s;
        while (n > 1 && path[n - 1] == '/')
                n--;
        path[n] = '\0';
}

int value_place(const char *text, uint32_t *ret_address, char **ret_path)
{
        const char *colon = strchr(text, ':');
        char address[16] = "", *path;
        uint32_t value = 0;

        if (!colon || (size_t)(colon - text) >= sizeof(address) || colon[1] != '/')
                return -EINVAL;
        memcpy(address, text, (size_t)(colon - text));
        if (flash_address_parse(address, &value) < 0 || value % FLASH_SECTOR_SIZE != 0)
                return -EINVAL;
        path = strdup(colon + 1);
        if (!path)
                return -ENOMEM;
        tidy_path(path);
        if (path[1] == '\0') {
                free(path);
                return -EINVAL;
        }
        free(*ret_path);
        *ret_path = path;
        *ret_address = value;
        return 0;
}
