/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/vm/usbip.h"
#include "tests/vm/vhci.h"

#define SYSFS                "/sys/devices/platform"
#define PORTS_PER_CONTROLLER 15

static void closep(int *fd)
{
        if (*fd >= 0)
                close(*fd);
}

static int write_line(const char *path, const char *line)
{
        _cleanup_(closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        return write(fd, line, strlen(line)) < 0 ? -errno : 0;
}

int vhci_attach(unsigned port, int *ret)
{
        _cleanup_(closep) int ours = -EBADF, kernels = -EBADF;
        char line[64];
        int pair[2], r;
        /* Each controller has as many SuperSpeed ports again, which stand between two controllers' own. */
        unsigned number = port / PORTS_PER_CONTROLLER * 2 * PORTS_PER_CONTROLLER +
                          port % PORTS_PER_CONTROLLER;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        ours = pair[0];
        kernels = pair[1];
        /* "PORT FD DEVID SPEED"; the device id only comes back in the requests. */
        snprintf(line, sizeof(line), "%u %d %u %d", number, kernels, port + 1, USBIP_SPEED_FULL);
        r = write_line(SYSFS "/vhci_hcd.0/attach", line);
        if (r < 0)
                return r;
        *ret = take_fd(&ours);
        return 0;
}

/* Whether the root hub at this sysfs path is the controller's slower one, which has the full-speed ports. */
static bool is_high_speed_hub(const char *path)
{
        char file[160], speed[16] = "";
        FILE *f;

        snprintf(file, sizeof(file), "%s/speed", path);
        f = fopen(file, "re");
        if (!f)
                return false;
        if (!fgets(speed, sizeof(speed), f))
                speed[0] = '\0';
        fclose(f);
        return streq(speed, "480\n");
}

int vhci_path(unsigned port, char ret[static VHCI_PATH_MAX])
{
        char pattern[96];
        glob_t hubs = { 0 };
        int r = -ENODEV;

        snprintf(pattern, sizeof(pattern), SYSFS "/vhci_hcd.%u/usb[0-9]*", port / PORTS_PER_CONTROLLER);
        if (glob(pattern, 0, NULL, &hubs) != 0)
                return -ENODEV;
        for (size_t i = 0; i < hubs.gl_pathc && r < 0; i++) {
                if (!is_high_speed_hub(hubs.gl_pathv[i]))
                        continue;
                snprintf(ret, VHCI_PATH_MAX, "%.16s-%u", strrchr(hubs.gl_pathv[i], '/') + strlen("/usb"),
                         port % PORTS_PER_CONTROLLER + 1);
                r = 0;
        }
        globfree(&hubs);
        return r;
}
