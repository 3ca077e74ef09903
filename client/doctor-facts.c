/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/doctor-facts.h"

#include <dirent.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/kernel-log.h"
#include "client/say.h"

#define PROCESSES_MAX 100000
#define GROUPS_MAX    1024

/* ---- files ---- */

static const char *const rule_dirs[] = { "/etc/udev/rules.d", "/run/udev/rules.d",
                                         "/usr/local/lib/udev/rules.d", "/usr/lib/udev/rules.d",
                                         "/lib/udev/rules.d" };
static const char *const unit_dirs[] = { "/etc/systemd/system", "/run/systemd/system",
                                         "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
                                         "/lib/systemd/system" };

/* The first that is there counts, as for udev and for systemd. *ret_path may be NULL; it is to be freed. */
static int look_for(const char *root, const char *const *dirs, size_t n, const char *name,
                    enum doctor_file *ret, char **ret_path)
{
        *ret = DOCTOR_FILE_ABSENT;
        for (size_t i = 0; i < n; i++) {
                _cleanup_(freep) char *path = NULL;
                struct stat st;

                if (asprintf(&path, "%s%s/%s", root, dirs[i], name) < 0)
                        return path = NULL, -ENOMEM;
                if (stat(path, &st) < 0)
                        continue;
                *ret = !S_ISREG(st.st_mode) || st.st_size == 0 ? DOCTOR_FILE_MASKED : DOCTOR_FILE_THERE;
                if (ret_path)
                        *ret_path = take_ptr(path);
                return 0;
        }
        return 0;
}

static int look_for_files(const char *root, struct doctor_gathered *ret)
{
        struct doctor_facts *f = &ret->facts;
        int r = look_for(root, rule_dirs, ARRAY_SIZE(rule_dirs), "60-espdfu.rules", &f->rule,
                         &ret->rule_path);

        f->rule_path = ret->rule_path;
        if (r == 0)
                r = look_for(root, unit_dirs, ARRAY_SIZE(unit_dirs), "espdfud.service", &f->service, NULL);
        if (r == 0)
                r = look_for(root, unit_dirs, ARRAY_SIZE(unit_dirs), "espdfud.socket", &f->socket_unit, NULL);
        return r;
}

/* ---- who asks ---- */

static bool session_has(gid_t gid)
{
        gid_t groups[GROUPS_MAX];
        int n = getgroups(GROUPS_MAX, groups);

        for (int i = 0; i < n; i++)
                if (groups[i] == gid)
                        return true;
        return getegid() == gid;
}

static void take_group(const struct group *group, const struct passwd *user, struct doctor_facts *f)
{
        f->group_exists = true;
        f->group_gid = (unsigned)group->gr_gid;
        f->session_in_group = session_has(group->gr_gid);
        f->user_in_group = user && user->pw_gid == group->gr_gid;
        for (char **member = group->gr_mem; *member; member++)
                if (streq(*member, f->user))
                        f->user_in_group = true;
}

/* Below a root its own file counts; else whatever this machine asks for groups. */
static int look_for_group(const char *root, const struct passwd *user, struct doctor_facts *f)
{
        _cleanup_(freep) char *path = NULL;
        const struct group *group;
        FILE *file;

        if (!*root) {
                group = getgrnam("espdfu");
                if (group)
                        take_group(group, user, f);
                return 0;
        }
        if (asprintf(&path, "%s/etc/group", root) < 0)
                return path = NULL, -ENOMEM;
        file = fopen(path, "re");
        while (file && (group = fgetgrent(file)))
                if (streq(group->gr_name, "espdfu"))
                        take_group(group, user, f);
        if (file)
                fclose(file);
        return 0;
}

static int look_at_user(const char *root, struct doctor_gathered *ret)
{
        const struct passwd *user = getpwuid(geteuid());
        struct doctor_facts *f = &ret->facts;
        int r;

        if (asprintf(&ret->user, user ? "%s" : "%.0s%u", user ? user->pw_name : "", (unsigned)geteuid()) < 0)
                return ret->user = NULL, -ENOMEM;
        f->user = ret->user;
        f->user_is_root = geteuid() == 0;
        r = look_for_group(root, user, f);
        return r;
}

/* ---- processes ---- */

static bool is_modem_manager(const char *proc, const char *pid)
{
        char path[PATH_MAX], comm[32] = "";
        FILE *file;

        if ((size_t)snprintf(path, sizeof(path), "%s/%s/comm", proc, pid) >= sizeof(path))
                return false;
        file = fopen(path, "re");
        if (!file)
                return false;
        if (!fgets(comm, sizeof(comm), file))
                comm[0] = '\0';
        fclose(file);
        comm[strcspn(comm, "\n")] = '\0';
        return streq(comm, "ModemManager");
}

static int look_for_modem_manager(const char *root, struct doctor_facts *f)
{
        _cleanup_(freep) char *proc = NULL;
        struct dirent *entry;
        DIR *dir;

        if (asprintf(&proc, "%s/proc", root) < 0)
                return proc = NULL, -ENOMEM;
        dir = opendir(proc);
        for (unsigned n = 0; dir && n < PROCESSES_MAX && (entry = readdir(dir)); n++)
                if (strspn(entry->d_name, "0123456789") == strlen(entry->d_name) &&
                    is_modem_manager(proc, entry->d_name))
                        f->modem_manager_runs = true;
        if (dir)
                closedir(dir);
        return 0;
}

int doctor_gather_files(const char *root, struct doctor_gathered *ret)
{
        int r = look_for_files(root, ret);

        if (r == 0)
                r = look_at_user(root, ret);
        return r == 0 ? look_for_modem_manager(root, &ret->facts) : r;
}

/* ---- all of it ---- */

static int look_at_log(const char *path, struct doctor_gathered *ret)
{
        int r = path ? kernel_log_read_file(path, &ret->log) : kernel_log_read(&ret->log);

        ret->facts.kernel_log = &ret->log;
        ret->facts.kernel_log_readable = r == 0;
        if (!path || r == 0)
                return 0;
        client_error("--kernel-log %s: %s: expected what dmesg or journalctl -k wrote", path, strerror(-r));
        return r;
}

static int look_at_bus(struct doctor_gathered *ret)
{
        int r = devices_look(&ret->devices, &ret->facts.n_devices);

        ret->facts.devices = ret->devices;
        if (r < 0)
                client_error("cannot list the USB devices of this machine: %s", strerror(-r));
        return r;
}

static int look_at_station(struct doctor_gathered *ret)
{
        int r = station_look(&ret->view);

        ret->facts.daemon = ret->view.daemon;
        ret->facts.daemon_fault = ret->view.fault;
        if (ret->view.daemon == DOCTOR_DAEMON_ANSWERS)
                ret->facts.station = &ret->view.update.station;
        return r;
}

int doctor_gather(const struct doctor_sources *sources, struct doctor_gathered *ret)
{
        int r = look_at_log(sources->kernel_log, ret);

        if (r < 0)
                return r;
        r = look_at_bus(ret);
        if (r < 0)
                return r;
        r = doctor_gather_files(sources->root, ret);
        if (r == 0)
                r = look_at_station(ret);
        if (r < 0)
                client_error("%s", strerror(-r));
        return r;
}

void doctor_gathered_done(struct doctor_gathered *gathered)
{
        devices_free(gathered->devices, gathered->facts.n_devices);
        station_view_done(&gathered->view);
        free(gathered->user);
        free(gathered->rule_path);
        gathered->facts = (struct doctor_facts){ 0 };
}
