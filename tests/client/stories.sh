# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2154
# The vocabulary of the client's shell tests: the fake daemon, espdfuctl, what is expected. A test sources it in the build
# directory, sets $story before each story, and ends with end_stories.
LC_ALL=C.UTF-8 TZ=UTC
export LC_ALL TZ
unset ESPDFU_SOCKET NO_COLOR

dir=$(mktemp -d "${TMPDIR:-/tmp}/test-client.XXXXXX") || exit 99
socket=$dir/socket
failures=0 n_stories=0
daemon='' watcher='' server=''
code=0 out='' err=''
: >"$dir/stdout"
: >"$dir/stderr"
trap 'clean_up' EXIT

clean_up() {
        for process in $watcher $server; do
                kill -KILL "$process" 2>/dev/null
        done
        stop_daemon
        rm -rf "$dir"
}

story() { # WORDS…
        story=$*
        n_stories=$((n_stories + 1))
}

start_daemon() { # [peer]
        rm -f "$dir/in" "$dir/out"
        mkfifo "$dir/in" "$dir/out"
        timeout 100 tests/client/fake-espdfud "$socket" "$@" <"$dir/in" >"$dir/out" &
        daemon=$!
        exec 8>"$dir/in" 9<"$dir/out"
        read -r _ <&9
}

stop_daemon() {
        [ -n "$daemon" ] || return 0
        exec 8>&- 9<&-
        wait "$daemon"
        daemon=
}

tell() { # a line to the fake daemon; returns when it has been obeyed
        echo "$*" >&8
        read -r _ <&9
}

# Another server in the daemon's place: see nonsense.c.
start_nonsense() { # KIND [TIMES]
        rm -f "$dir/ready"
        mkfifo "$dir/ready"
        timeout 100 tests/client/nonsense "$socket" "$@" >"$dir/ready" &
        server=$!
        read -r _ <"$dir/ready"
}
stop_nonsense() {
        kill "$server" 2>/dev/null
        wait "$server" 2>/dev/null
        server=
        rm -f "$socket"
}

ctl() { # runs espdfuctl; $out, $err, $code
        timeout 30 ./espdfuctl --socket "$socket" "$@" >"$dir/stdout" 2>"$dir/stderr" </dev/null
        code=$?
        out=$(cat "$dir/stdout")
        err=$(cat "$dir/stderr")
}

# ---- on a terminal; what it shows grows in $dir/screen ----

start_screen() { # COLUMNS LINES [NAME=VALUE…] VERB…
        columns=$1 lines=$2
        shift 2
        rm -f "$dir/keys"
        mkfifo "$dir/keys"
        : >"$dir/screen"
        (
                while [ "${1#*=}" != "$1" ]; do
                        export "${1?}"
                        shift
                done
                exec timeout --foreground 60 tests/client/on-terminal "$columns" "$lines" \
                        ./espdfuctl --socket "$socket" "$@" >"$dir/screen" 2>"$dir/screen-err" <"$dir/keys" 8>&- 9<&-
        ) &
        watcher=$!
        exec 7>"$dir/keys"
}
at_screen() { # key TEXT | size COLUMNS LINES | signal NUMBER
        echo "$*" >&7
}
end_screen() { # waits for the end that was brought about; $out is all that was shown
        wait "$watcher"
        watcher=
        exec 7>&-
        cp "$dir/screen" "$dir/stdout"
        out=$(tr -d '\0' <"$dir/screen")
        err=$(cat "$dir/screen-err")
}

# ---- in the background, not on a terminal: $dir/watch, $dir/watch-err ----

start_watching() { # VERB…; it must not hold the daemon's fifos open
        : >"$dir/watch"
        : >"$dir/watch-err"
        # An asynchronous command of a shell ignores SIGINT: env sets it right.
        env --default-signal=INT timeout --foreground 60 ./espdfuctl --socket "$socket" "$@" \
                >"$dir/watch" 2>"$dir/watch-err" </dev/null 8>&- 9<&- &
        watcher=$!
}
end_watching() { # waits; $out, $err, $code
        wait "$watcher"
        code=$?
        watcher=
        cp "$dir/watch" "$dir/stdout"
        cp "$dir/watch-err" "$dir/stderr"
        out=$(cat "$dir/watch")
        err=$(cat "$dir/watch-err")
}

wait_for() { # FILE TEXT: a regular expression in a file that grows; gives up after 20 s
        tries=0
        until grep -aq -e "$2" "$1"; do
                tries=$((tries + 1))
                [ $tries -lt 400 ] || { broken "expected in $1: $2: $(tail -c 2000 "$1")"; return; }
                sleep 0.05
        done
}

# ---- expectations ----

broken() {
        echo "FAILED: $story: $*"
        echo "  exit code $code, stdout:"
        sed 's/^/    /' "$dir/stdout" | head -n 50
        echo "  stderr:"
        sed 's/^/    /' "$dir/stderr" | head -n 20
        failures=$((failures + 1))
}
expect_code() { [ "$code" -eq "$1" ] || broken "expected exit code $1"; }
expect_out() { case $out in *"$1"*) ;; *) broken "expected on stdout: $1" ;; esac; }
expect_not_out() { case $out in *"$1"*) broken "expected not on stdout: $1" ;; esac; }
expect_err() { case $err in *"$1"*) ;; *) broken "expected on stderr: $1" ;; esac; }
expect_quiet() { [ -z "$err" ] || broken "expected nothing on stderr"; }
expect_count() { # NUMBER TEXT: so many lines on stdout have it
        [ "$(grep -ac -e "$2" "$dir/stdout")" -eq "$1" ] || broken "expected $1 lines with: $2"
}

end_stories() {
        echo "$n_stories stories, $failures failures"
        exit $((failures > 0))
}
