/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fleet/broker-bed.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/file.h"
#include "io/poll.h"

#define PATIENCE     (20 * USEC_PER_SEC)
#define MOSQUITTO    "/usr/sbin/mosquitto"
#define PROGRAMS_MAX 256

struct bed bed;

static pid_t programs[PROGRAMS_MAX]; /* that run; 0: free */

/* ---- files ---- */

const char *bed_file(const char *name)
{
        static char *known[64];
        char path[160];

        snprintf(path, sizeof(path), "%s/%s", bed.dir, name);
        for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
                if (!known[i])
                        known[i] = strdup(path);
                if (streq(known[i], path))
                        return known[i];
        }
        fail_msg("too many files");
        return NULL;
}

const char *write_file(const char *name, const char *text)
{
        const char *path = bed_file(name);
        FILE *f = fopen(path, "w");

        assert_non_null(f);
        assert_int_equal(fchmod(fileno(f), 0600), 0);
        fputs(text, f);
        assert_int_equal(fclose(f), 0);
        return path;
}

char *text_of(const char *path)
{
        uint8_t *text = NULL;
        size_t len;

        return file_read(path, 64 * MIB, &text, &len) == 0 ? (char *)text : strdup("");
}

unsigned lines_with(const char *name, const char *text)
{
        _cleanup_(freep) char *all = text_of(bed_file(name));
        unsigned n = 0;

        for (char *line = strtok(all, "\n"); line; line = strtok(NULL, "\n"))
                n += strstr(line, text) != NULL;
        return n;
}

void expect_line(const char *log, const char *text)
{
        uint64_t deadline = monotonic_usec() + PATIENCE;

        while (lines_with(log, text) == 0) {
                if (monotonic_usec() >= deadline) {
                        _cleanup_(freep) char *all = text_of(bed_file(log));

                        fail_msg("waited 20 s for \"%s\" in:\n%s", text, all);
                }
                usleep(10000); /* a file has no event for its growth that inotify would not miss */
        }
}

/* ---- programs ---- */

pid_t fork_program(void)
{
        size_t i = 0;

        while (i < PROGRAMS_MAX && programs[i] > 0)
                i++;
        assert_true(i < PROGRAMS_MAX);
        programs[i] = fork();
        if (programs[i] == 0)
                prctl(PR_SET_PDEATHSIG, SIGKILL);
        return programs[i];
}

/* in, out: its ends, or -1. */
static pid_t launch_program(const char *log, const char *const *argv, int in, int out)
{
        const char *path = bed_file(log);
        pid_t pid = fork_program();

        if (pid == 0) {
                int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

                if (in >= 0)
                        dup2(in, STDIN_FILENO);
                dup2(fd, STDERR_FILENO);
                dup2(out >= 0 ? out : fd, STDOUT_FILENO);
                execv(argv[0], (char **)(uintptr_t)argv);
                _exit(127);
        }
        return pid;
}

pid_t start_program(const char *log, const char *const *argv)
{
        return launch_program(log, argv, -1, -1);
}

pid_t start_with_pipes(const char *log, const char *const *argv, FILE **ret_in, FILE **ret_out)
{
        int in[2], out[2];
        pid_t pid;

        assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
        pid = launch_program(log, argv, in[0], out[1]);
        close(in[0]);
        close(out[1]);
        *ret_in = fdopen(in[1], "w");
        *ret_out = fdopen(out[0], "r");
        return pid;
}

int end_program(pid_t pid, int signal)
{
        int status = -1;

        if (signal)
                kill(pid, signal);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        for (size_t i = 0; i < PROGRAMS_MAX; i++)
                if (programs[i] == pid)
                        programs[i] = 0;
        return status;
}

static void run(const char *const *argv)
{
        pid_t pid = start_program("setup.log", argv);
        int status = end_program(pid, 0);

        if (status != 0) {
                _cleanup_(freep) char *said = text_of(bed_file("setup.log"));

                fail_msg("%s: status %#x:\n%s", argv[0], (unsigned)status, said);
        }
}

/* ---- certificates and passwords ---- */

#define SHELL "/bin/sh"

/* One CA that all trust, its broker (localhost, 127.0.0.1) and client; another CA; a broker for another host; one that is over. */
static const char make_certificates[] =
        "set -eu; umask 077; cd \"$1\"\n"
        "key() { openssl ecparam -name prime256v1 -genkey -noout -out $1.key; }\n"
        "ca() { key $1; openssl req -x509 -new -key $1.key -subj /CN=$1 -days 1 -out $1.crt; }\n"
        "signed() { # NAME NAMES DAYS\n"
        "  key $1; openssl req -new -key $1.key -subj /CN=$1 -out $1.csr\n"
        "  echo \"subjectAltName=$2\" >$1.ext\n"
        "  openssl x509 -req -in $1.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days $3 -extfile $1.ext "
        "-out $1.crt; }\n"
        "ca ca; ca other-ca\n"
        "signed broker DNS:localhost,IP:127.0.0.1 1\n"
        "signed client DNS:client 1\n"
        "signed elsewhere DNS:elsewhere.example 1\n"
        "signed over DNS:localhost,IP:127.0.0.1 -1\n"
        "touch passwords; chmod 600 passwords\n"
        "for user in line3 line4 collect collector stations viewer; do\n"
        "  mosquitto_passwd -b passwords $user $user; echo $user >$user.password; done\n";

static const char acl[] = "user collect\n" /* as in docs/examples/fleet/mosquitto.acl */
                          "topic read espdfu/+/+/job\ntopic readwrite espdfu/1/+/delivered\n"
                          "user collector\n"
                          "topic read espdfu/#\ntopic write espdfu/1/+/delivered\n"
                          "user viewer\ntopic read espdfu/#\n"
                          "user stations\ntopic readwrite espdfu/#\n"
                          "pattern write espdfu/1/%u/online\npattern write espdfu/1/%u/station\n"
                          "pattern readwrite espdfu/1/%u/slot/+\npattern write espdfu/1/%u/job\n"
                          "pattern read espdfu/1/%u/delivered\n";

unsigned free_port(void)
{
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(address);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
        close(fd);
        return ntohs(address.sin_port);
}

int bed_directory(void **state)
{
        (void)state;
        signal(SIGPIPE, SIG_IGN);
        setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
        snprintf(bed.dir, sizeof(bed.dir), "/tmp/test-fleet.XXXXXX");
        assert_non_null(mkdtemp(bed.dir));
        return 0;
}

int bed_setup(void **state)
{
        const char *argv[] = { SHELL, "-c", make_certificates, "sh", bed.dir, NULL };

        bed_directory(state);
        run(argv);
        write_file("acl", acl);
        bed.port = free_port();
        do
                bed.tls_less = free_port();
        while (bed.tls_less == bed.port);
        return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
        (void)st, (void)flag, (void)ftw;
        return remove(path);
}

void listen_to_stderr(void)
{
        _cleanup_(freep) char *said = text_of(bed_file("said"));

        fputs(said, stdout); /* cmocka's own words are among them */
        fflush(stdout);
        write_file("said", "");
        assert_non_null(freopen(bed_file("said"), "a", stderr));
        setvbuf(stderr, NULL, _IOLBF, 0);
}

int bed_teardown(void **state)
{
        _cleanup_(freep) char *said = text_of(bed_file("said"));

        (void)state;
        fputs(said, stdout);
        for (size_t i = 0; i < PROGRAMS_MAX; i++)
                if (programs[i] > 0) {
                        kill(programs[i], SIGCONT);
                        end_program(programs[i], SIGKILL);
                }
        if (!getenv("KEEP_BED"))
                nftw(bed.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        return 0;
}

struct broker_settings settings_of(const char *user)
{
        char password[64];

        snprintf(password, sizeof(password), "%s.password", user);
        return (struct broker_settings){
                .host = (char *)(uintptr_t) "localhost",
                .port = bed.port,
                .ca_file = (char *)(uintptr_t)bed_file("ca.crt"),
                .user = (char *)(uintptr_t)user,
                .password_file = (char *)(uintptr_t)bed_file(password),
                .keep_alive_sec = 5,
                .retry_max_sec = 1,
        };
}

/* ---- the broker ---- */

static bool takes_connections(unsigned port)
{
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_port = htons((uint16_t)port),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bool taken = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

        close(fd);
        return taken;
}

static void launch(void)
{
        const char *argv[] = { MOSQUITTO, "-c", bed_file("mosquitto.conf"), NULL };
        uint64_t deadline = monotonic_usec() + PATIENCE;

        bed.broker = start_program("broker.log", argv);
        while (!takes_connections(bed.port) || !takes_connections(bed.tls_less)) {
                if (waitpid(bed.broker, NULL, WNOHANG) != 0 || monotonic_usec() >= deadline) {
                        _cleanup_(freep) char *said = text_of(bed_file("broker.log"));

                        fail_msg("mosquitto does not start:\n%s", said);
                }
                usleep(5000);
        }
}

void kill_broker(void)
{
        end_program(bed.broker, SIGKILL);
        bed.broker = 0;
}

void start_broker(bool persistent)
{
        const char *certificate = bed.certificate ? bed.certificate : "broker";
        const struct passwd *user = getpwuid(getuid());
        char text[2048];

        if (bed.broker > 0) /* of a test that failed */
                kill_broker();
        snprintf(text, sizeof(text),
                 "per_listener_settings false\nuser %s\nallow_anonymous false\npassword_file "
                 "%s/passwords\nacl_file "
                 "%s/acl\n"
                 "log_dest stderr\nlog_type error\nlog_type warning\nlog_type notice\n"
                 "max_queued_messages 100000\npersistence %s\npersistence_location %s/\nautosave_interval 1\n"
                 "listener %u 127.0.0.1\ncafile %s/ca.crt\ncertfile %s/%s.crt\nkeyfile %s/%s.key\n%s"
                 "listener %u 127.0.0.1\n",
                 user ? user->pw_name : "root", bed.dir, bed.dir, persistent ? "true" : "false", bed.dir,
                 bed.port, bed.dir, bed.dir, certificate, bed.dir, certificate,
                 bed.require_certificate ? "require_certificate true\n" : "", bed.tls_less);
        write_file("mosquitto.conf", text);
        launch();
}

void stop_broker(void)
{
        end_program(bed.broker, SIGTERM);
        bed.broker = 0;
}

void freeze_broker(bool frozen)
{
        kill(bed.broker, frozen ? SIGSTOP : SIGCONT);
}

void turn(struct broker *broker)
{
        struct pollfd pfd;
        uint64_t now = monotonic_usec(), until = broker_wait(broker, &pfd);

        (void)poll_until(&pfd, 1, MIN(until, now + 100 * USEC_PER_MSEC), NULL);
        broker_step(broker, pfd.revents, monotonic_usec());
}
