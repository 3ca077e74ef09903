#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The real espdfuctl against the real server, behind which there is no board but a fake station.
# Runs in the build directory.
# shellcheck disable=SC2119
set -u
srcdir=${srcdir:-$(dirname "$0")/../..}
# shellcheck source=tests/client/stories.sh
. "$srcdir/tests/client/stories.sh"

# ---- stories ----

story "without a daemon the exit code is 3"
for verb in status explain history reload "cancel A1" hold release "retry A1" "flash A1" "export --format csv" stats "consumer list"; do
        # shellcheck disable=SC2086
        ctl $verb
        expect_code 3
        expect_err "no espdfud listens on $socket"
done

story "usage"
ctl
expect_code 2
ctl --help
expect_code 0
expect_out "status [SLOT|PORT…] [--watch] [--json] [--output COLS] [--noheadings]"
expect_out "Exit codes: 0 done, 1 failed, 2 usage, 3 no daemon, 4 not permitted"
ctl --version
expect_code 0
expect_out "espdfu "
ctl fly
expect_code 2
expect_err "there is no verb 'fly'"
ctl --colour status
expect_code 2
expect_err "--colour"
for verb in status explain history reload export stats; do
        ctl $verb --help
        expect_code 0
        expect_out "Usage: espdfuctl $verb"
        ctl $verb --wrong
        expect_code 2
        expect_err "espdfuctl: $verb: --wrong is not understood: see espdfuctl $verb --help"
        [ $verb != status ] || continue
        ctl $verb a b
        expect_code 2
        expect_err "is not understood: see espdfuctl $verb --help"
done
for verb in cancel hold release; do
        ctl $verb --help
        expect_code 0
        expect_out "Usage: espdfuctl $verb"
        ctl $verb --wrong
        expect_code 2
done
ctl cancel
expect_code 2
expect_err "cancel: expected the slots"
ctl hold --reason
expect_code 2
expect_err "hold: --reason: expected a value after it"
ctl hold --reason "$(printf 'a\033[2Jb')"
expect_code 2
expect_err "hold: --reason: expected one line of at most 200 bytes"
ctl release --reason x
expect_code 2
ctl history --limit 0
expect_code 2
expect_err "--limit 0: expected a number from 1 to"
ctl history --limit 7x
expect_code 2

for verb in history "export --format json" stats; do
        for option in --since --until; do
                # shellcheck disable=SC2086
                ctl $verb $option tomorrow
                expect_code 2
                expect_err "$option tomorrow: expected a date (2026-11-01, \"2026-11-01 14:00\", today, yesterday) or how long ago (2h, 30min, 7d)"
        done
        # shellcheck disable=SC2086
        ctl $verb --since 1h --until 2h
        expect_code 2
        expect_err "--since 1h: expected a time before --until 2h"
        # shellcheck disable=SC2086
        ctl $verb --verdict good
        expect_code 2
        expect_err "--verdict good: expected none, flashed, detached, cancelled, "
        expect_err "engine-failed or interrupted"
        # shellcheck disable=SC2086
        ctl $verb --slot ""
        expect_code 2
        expect_err "--slot '': expected a text"
        # shellcheck disable=SC2086
        ctl $verb --image "$(printf '\377')"
        expect_code 2
        expect_err "expected UTF-8"
done
ctl export
expect_code 2
expect_err "export: --format: expected csv or json"
ctl export --format xml
expect_code 2
expect_err "export: --format xml: expected csv or json"
ctl export --format csv --output ""
expect_code 2
expect_err "export: --output '': expected the path of a file"
ctl consumer
expect_code 2
expect_err "consumer : expected list [--json], register, acknowledge or unregister"
ctl consumer register
expect_code 2
expect_err "consumer register: expected NAME [NUMBER]"
ctl consumer acknowledge bridge
expect_code 2
expect_err "consumer acknowledge: expected NAME NUMBER"
ctl consumer acknowledge bridge -- -1
expect_code 2
expect_err "bridge -1: expected a number from 0 to"
ctl consumer unregister "a b"
expect_code 2
expect_err "consumer unregister a b: expected a name: 1 to 64 letters, digits and . _ + : @ -"
ctl history --limit 3 --all
expect_code 2
expect_err "--limit and --all: expected one or the other"
ctl history --limit
expect_code 2
expect_err "history: --limit: expected a value after it"
ctl status --socket "$socket"
expect_code 2
expect_err "--socket: expected before the verb: espdfuctl --socket PATH status"
ctl status -xy
expect_code 2
expect_err "status: -x is not understood"
ctl reload --help
[ "$(head -n 1 "$dir/stdout")" = "Usage: espdfuctl reload" ] || broken "expected no blank at the end"
ctl --socket
expect_code 2
expect_err "--socket: expected the path"
ctl --socket "" status
expect_code 2
expect_err "--socket: '' is no path"

story "what is no socket is not taken for a daemon that does not run"
touch "$dir/file"
ctl --socket "$dir/file" status
expect_code 3
expect_err "$dir/file: no socket: expected the one that espdfud listens on"
ctl --socket "$dir/none" status
expect_err "no espdfud listens on $dir/none: No such file or directory"

start_daemon

story "status shows the station"
ctl status
expect_code 0
expect_quiet
expect_out "line3-a   up 4 d 2 h   today 1284 flashed, first pass 98.9 %, 96 boards/h   running 2, waiting 0, failed 1"
expect_out "A3    1-4.3  –     –                  –       –            empty"
expect_out "board left at 24 kB"
expect_not_out "$(printf '\033')"
[ "$(wc -l <"$dir/stdout")" -eq 8 ] || broken "expected 8 lines"

story "status --json has the same facts in the same order"
ctl status --json
expect_code 0
expect_out '"name": "line3-a"'
expect_out '"phase": "no-policy"'
expect_out '"mac": null'
[ "$(grep '"slot":' "$dir/stdout" | tr -dc 'A0-9')" = A1A2A3A4A5 ] || broken "expected A1 to A5 in order"

story "status of some slots, by name and port"
ctl status 1-4.3 A1
expect_code 0
expect_quiet
expect_out "line3-a   up 4 d 2 h"
expect_out "A3    1-4.3"
[ "$(grep -c '^A[0-9]' "$dir/stdout")" -eq 2 ] || broken "expected two slots"
ctl status --json A2
expect_code 0
[ "$(grep '"slot":' "$dir/stdout" | tr -dc 'A0-9')" = A2 ] || broken "expected A2 alone"
expect_out '"name": "line3-a"'
for how in "" --json --watch "--watch --json"; do
        # shellcheck disable=SC2086
        ctl status $how A1 Z9
        expect_code 1
        expect_err "espdfuctl: Z9: no slot has this name, port or path: see espdfuctl status"
done

story "tables for scripts: these columns, in this order, and nothing around them"
ctl status --output phase,SLOT --noheadings 1-4.3 A1
expect_code 0
[ "$(sed 's/ *$//' "$dir/stdout")" = "downloading  A1
empty        A3" ] || broken "expected two rows"
ctl status --noheadings
[ "$(wc -l <"$dir/stdout")" -eq 5 ] || broken "expected the rows alone"
ctl history --output slot,verdict --limit 2
[ "$(cat "$dir/stdout")" = "SLOT  VERDICT
A2    board left
A1    flashed" ] || broken "expected two columns"
ctl history --slot Z9 --noheadings
expect_code 0
[ -z "$out" ] || broken "expected nothing of nothing"
ctl stats --output of,name,flashed --noheadings
[ "$(cat "$dir/stdout")" = "station  all    96
policy   gizmo  96
slot     A1     48
slot     A2     48" ] || broken "expected one table"
ctl consumer list --output behind,consumer
[ "$(cat "$dir/stdout")" = "BEHIND  CONSUMER
118     bridge" ] || broken "expected two columns"
for verb in status list history stats "consumer list"; do
        # shellcheck disable=SC2086
        ctl $verb --output colour
        expect_code 2
        expect_err "$verb: --output 'colour': expected some of "
        # shellcheck disable=SC2086
        ctl $verb --output ""
        expect_code 2
        # shellcheck disable=SC2086
        ctl $verb --json --noheadings
        expect_code 2
        expect_err "$verb: --json has all fields: expected without --output and --noheadings"
done
ctl status --output slot,slot
expect_code 2
expect_err "status: --output: slot twice: expected each column once"
ctl status --watch --output slot
expect_code 2
expect_err "status: --output and --noheadings: expected without --watch"

story "a locale without UTF-8"
LC_ALL=C ctl status
expect_code 0
expect_out "A3    1-4.3  -     -                  -       -            empty"
LC_ALL=C.UTF-8

story "the socket from the environment"
ESPDFU_SOCKET=$socket ./espdfuctl status >"$dir/stdout" 2>"$dir/stderr"
code=$? out=$(cat "$dir/stdout")
expect_code 0
expect_out "line3-a"

story "explain"
ctl explain A1
expect_code 0
expect_out "A1 (1-4.1): ESP32-S2 in DFU mode, downloading"
expect_out "probe  no: chip is esp32s2, the policy wants esp32s3"
expect_out "gizmo  matches"
expect_out "so: gizmo: it is being flashed"
ctl explain
expect_code 0
expect_out "A1 (1-4.1): ESP32-S2 in DFU mode, downloading"
expect_out "so: gizmo: it is being flashed"
expect_out "Which policies were tried, and where each differs: espdfuctl explain SLOT"
expect_not_out "the policy wants"
ctl explain Z9
expect_code 1
expect_err "Z9: no slot has this name"
ctl explain --json
expect_code 0
expect_out '"chosen": "gizmo"'

story "history"
ctl history
expect_code 0
[ "$(wc -l <"$dir/stdout")" -eq 21 ] || broken "expected a header and 20 attempts"
expect_out "A2    S3    7c:df:a1:0b:00:12  gizmo   gizmo 1.4.2  1    board left  4.2 s  262 kB  board left at 24 kB"
ctl history --slot A1 --limit 3 --mac 7C:DF:A1:0B:00:12
[ "$(wc -l <"$dir/stdout")" -eq 4 ] || broken "expected a header and 3 attempts"
expect_not_out "A2 "
ctl history --slot Z9
expect_code 0
expect_out "No attempt."
ctl history --all --json
expect_code 0
[ "$(grep -c '"id":' "$dir/stdout")" -eq 120 ] || broken "expected 120 attempts"

ctl history --verdict board-left --all
[ "$(wc -l <"$dir/stdout")" -eq 25 ] || broken "expected a header and 24 attempts"
ctl history --since "2023-11-14 23:13:20Z" --until "2023-11-14 23:15:20Z" --json
[ "$(grep -c '"id":' "$dir/stdout")" -eq 2 ] || broken "expected 2 attempts"
ctl history --image probe
expect_out "No attempt."

story "export"
ctl export --format csv
expect_code 0
expect_quiet
[ "$(wc -l <"$dir/stdout")" -eq 121 ] || broken "expected the names and 120 attempts"
[ "$(grep -c "$(printf '\r')\$" "$dir/stdout")" -eq 121 ] || broken "expected every line to end in CR LF"
expect_out "id,sequence,job,attempt,slot,port,path,chip,mac,policy,image_path,image_name,image_version,image_sha256,boot_id,clock_synchronized,start_realtime_usec,end_realtime_usec,duration_usec,bytes,transfers,verdict,final,message,engine_message,detaching_usec,away_usec,downloading_usec,verifying_usec,dfu_status,dfu_state,station,data_file"
expect_out "1,1,0c1d,1,A1,1-4.1,pci-0000:00:14.0-usb-0:4.1,esp32s3,7c:df:a1:0b:00:12,gizmo,/srv/gizmo.bin,gizmo,1.4.2,00ff,b007,1,1700000060000000,1700000064000000,4200000,262144,64,flashed,0,,,,,,,,,,"
[ "$(sed -n 2p "$dir/stdout" | cut -d, -f1)" = 1 ] || broken "expected the oldest first"
ctl export --format json --slot A2 --verdict board-left
expect_code 0
[ "$(wc -l <"$dir/stdout")" -eq 12 ] || broken "expected a line for each of 12 attempts"
expect_out '"id":10,"sequence":10,'
ctl export --format csv --output "$dir/history.csv"
expect_code 0
expect_quiet
[ -z "$out" ] || broken "expected nothing on stdout"
[ "$(wc -l <"$dir/history.csv")" -eq 121 ] || broken "expected all in the file"
ctl export --format csv --output "$dir/nowhere/history.csv"
expect_code 1
expect_err "$dir/nowhere/history.csv: cannot be written: No such file or directory"
ctl export --format csv --output /dev/null
expect_code 1
expect_err "/dev/null: cannot be written: a device or pipe: expected a regular file"
ctl export --format csv --output "$dir"
expect_code 1
expect_err "$dir: cannot be written: Is a directory"
tell attempts 100000
{ timeout 20 ./espdfuctl --socket "$socket" export --format csv 2>"$dir/stderr" 8>&- 9<&-
        echo $? >"$dir/code"; } | head -n 1 >"$dir/stdout"
code=$(cat "$dir/code")
err=$(cat "$dir/stderr")
expect_code 0
expect_quiet
tell attempts 120

story "stats"
ctl stats
expect_code 0
expect_out "STATION  FLASHED  FAILED  CANCELLED  YIELD   FIRST PASS  PER HOUR  MEAN   95 %   ATTEMPTS"
expect_out "all      96       24      0          80.0 %  80.0 %      48        4.2 s  4.2 s  120"
expect_out "A2    48       12      0          80.0 %"
expect_out "24        board left  –           board left at 24 kB"
ctl stats --slot A1 --verdict flashed
expect_code 0
expect_out "100.0 %"
expect_not_out "A2"
ctl stats --image probe
expect_code 0
expect_out "No attempt."
ctl stats --json
expect_code 0
expect_out '"yield_ppm": 800000'

story "consumers"
ctl consumer list
expect_code 0
expect_out "CONSUMER  HAS  BEHIND"
expect_out "bridge    2    118     2023-11-14"
ctl consumer list --json
expect_out '"consumer": "bridge"'
ctl consumer register backup 7
expect_code 0
expect_out "backup: registered, has number 7"
ctl consumer register mqtt --user 2000
expect_code 0
expect_out "mqtt: registered, has number 0"
ctl consumer register mqtt --user root
expect_code 0
ctl consumer register mqtt --user nobody-at-all
expect_code 2
expect_err "consumer register: --user nobody-at-all: expected the name of a user of this machine, or a uid"
ctl consumer acknowledge bridge 1 --user root
expect_code 2
expect_err "consumer acknowledge: --user: expected with register alone"
ctl consumer acknowledge bridge 41
expect_code 0
expect_out "bridge: registered, has number 41"
ctl consumer acknowledge bridge 121
expect_code 1
expect_err "bridge: expected a number from the one that it has to the last one of the ledger"
ctl consumer unregister bridge
expect_out "bridge: registered no more, has number 2"
ctl consumer unregister nobody
expect_code 1
expect_err "nobody: no consumer of this name is registered: see espdfuctl consumer list"
ctl consumer register too-many
expect_code 1
expect_err "too-many: not registered: expected at most 32 consumers"
ctl consumer register on-full-disk
expect_code 1
expect_err "espdfud: the ledger cannot be written: No space left on device"

story "reload"
ctl reload
expect_code 0
expect_out "The configuration is in force: 5 slots, 2 policies."
tell refuse
ctl reload
expect_code 1
expect_err "line3.conf:14: attempts = 0: expected 1 to 20"
expect_err "line3.conf:20: colour = red"
ctl status
expect_out "the last reload was refused, the configuration before it is in force: line3.conf:14"

story "cancel"
tell phase A1 downloading
ctl cancel A1
expect_code 0
expect_quiet
expect_out "A1: cancelled by user joe at byte 4096"
ctl cancel A1
expect_code 1
expect_err "A1: nothing to cancel: no job runs there, and none is queued"
story "cancel tries all and the exit code is the worst"
ctl cancel Z9 1-4.2 A3
expect_code 1
expect_err "Z9: no slot has this name, port or path"
expect_out "1-4.2: cancelled by user joe"
expect_err "A3: nothing to cancel"
story "cancel of what the kernel holds"
tell slow-cancel
tell phase A1 stuck
ctl cancel A1
expect_code 1
expect_err "A1: not cancelled: stuck"
tell phase A1 downloading
tell phase A2 verifying

story "retry says what there is instead"
ctl retry A3 Z9
expect_code 1
expect_err "espdfuctl: A3: is empty; nothing to retry"
expect_err "espdfuctl: Z9: no slot has this name, port or path: see espdfuctl status"
ctl retry
expect_code 2
expect_err "retry: expected the slots whose boards are to be tried again: see espdfuctl retry --help"

story "flash says what stands in the way, and what is no image"
ctl flash A3 Z9
expect_code 1
expect_err "espdfuctl: A3: is running: expected espdfuctl cancel first"
expect_err "espdfuctl: Z9: no slot has this name, port or path: see espdfuctl status"
ctl flash
expect_code 2
expect_err "flash: expected the slots whose boards are to be flashed: see espdfuctl flash --help"
ctl flash --image
expect_code 2
expect_err "espdfuctl: flash: --image: expected a value after it: see espdfuctl flash --help"
ctl flash A4 --image "$dir/nothing.bin"
expect_code 1
expect_err "espdfuctl: $dir/nothing.bin: No such file or directory"
ctl flash A4 --image "$dir"
expect_code 1
expect_err "espdfuctl: $dir: a directory: expected a regular file"
ctl flash A4 --image /dev/zero
expect_code 1
expect_err "espdfuctl: /dev/zero: a device or pipe: expected a regular file"
echo "no image" >"$dir/text"
ctl flash A4 --image "$dir/text"
expect_code 1
expect_err "espdfuctl: $dir/text: error: "
timeout 20 ./espdfuctl --socket "$socket" flash A4 --image - <"$dir/text" >"$dir/stdout" 2>"$dir/stderr"
code=$?
err=$(cat "$dir/stderr")
expect_code 1
expect_err "espdfuctl: standard input: error: "
if [ "$(id -u)" -ne 0 ]; then
        chmod 0 "$dir/text"
        ctl flash A4 --image "$dir/text"
        expect_code 1
        expect_err "espdfuctl: $dir/text: Permission denied"
fi

story "a MAC as it stands on a label, a verdict as a table prints it"
for mac in 7C:DF:A1:0B:00:12 7cdfa10b0012 7C-DF-A1-0B-00-12; do
        ctl history --mac $mac --verdict "board left" --limit 1
        expect_code 0
        expect_out "7c:df:a1:0b:00:12"
done
for mac in xx 7c:df:a1:0b:00 7c:df:a1:0b:00:12:13 7cdfa10b001 :7cdfa10b0012 7c::df:a1:0b:00:12; do
        ctl history --mac $mac
        expect_code 2
        expect_err "espdfuctl: --mac $mac: expected a MAC such as 7c:df:a1:0b:00:12"
done

story "what is wrong on the command line is said to the word"
long=$(printf '%05000d' 0)
while IFS='|' read -r arguments expected; do
        # shellcheck disable=SC2086
        ctl $arguments
        expect_code 2
        expect_err "espdfuctl: $expected"
done <<END
history --limit 3 --all|history: --limit and --all: expected one or the other
history --limit 0|--limit 0: expected a number from 1 to 2147483647
history --limit many|--limit many: expected a number from 1 to 2147483647
cancel|cancel: expected the slots whose jobs are to end: see espdfuctl cancel --help
retry|retry: expected the slots whose boards are to be tried again: see espdfuctl retry --help
slot|slot: expected learn and the names of the ports: see espdfuctl slot --help
slot learn --timeout 0 A1|--timeout 0: expected a number from 1 to
slot learn --timeout 5 1-4.1|slot learn: 1-4.1: expected a name of 1 to 32 letters, digits and . _ + : @ - that does not look like a port
slot learn A9|slot learn: no terminal, so perhaps nobody who plugs boards: expected --timeout beside it, since the station is held meanwhile
consumer register bridge many|bridge many: expected a number from 0 to 9223372036854775807
END
ctl flash A4 --image "$long"
expect_err "espdfuctl: $long: File name too long"
echo same >"$dir/same"
ctl image sign "$dir/same" --key "$dir/key.pem" --output "$dir/same"
expect_err "the same file as the input "
ctl image verify
expect_err "no FILE: expected at least one DFU image"

story "hold and release"
ctl hold --reason "new jig" A1 1-4.2
expect_code 0
expect_out "A1: held by "
expect_out "1-4.2: held by "
expect_out ": new jig"
ctl hold Z9 A1
expect_code 1
expect_err "Z9: no slot"
expect_out "A1: held by "
ctl hold --reason audit
expect_code 0
expect_out "the station: held by "
ctl status
[ "$(head -n 1 "$dir/stdout" | grep -c 'failed 1   held by .*: audit$')" -eq 1 ] || broken "expected it in the header"
ctl status --json
expect_out '"held": "held by '
ctl release
expect_code 0
expect_out "the station: released"
ctl release
expect_code 0
expect_out "the station: was not held"
ctl status
expect_not_out "audit"
ctl release A1 1-4.2 A3 A5
expect_code 1
expect_out "A1: released"
expect_out "1-4.2: released"
expect_out "A3: was not held"
expect_err "A5: not released: policy probe says action = hold and names no image to flash"

story "watch without a terminal"
start_watching status --watch
wait_for "$dir/watch" "A5 no policy"
tell progress A1 200000
tell phase A1 verifying
tell phase A1 flashed
tell remove A3
ctl hold --reason audit
tell changed
ctl release
tell unusable
wait_for "$dir/watch" "A3 gone"
wait_for "$dir/watch" "the station held: held by .*: audit"
wait_for "$dir/watch" "the station released"
kill -TERM "$watcher" # timeout passes it on
end_watching
expect_code 0
[ "$(grep -c ' A1 downloading' "$dir/watch")" -eq 1 ] || broken "expected no line for progress"
[ "$(grep -c ' A1 verifying 1/3$' "$dir/watch")" -eq 1 ] || broken "expected one line for verifying"
[ "$(grep -c ' A1 flashed 1/3$' "$dir/watch")" -eq 1 ] || broken "expected one line for flashed"

story "what a file's name says cannot paint"
ctl status
expect_out "policy probe cannot be used: /srv/probe.bin: no such file<1b>[2J"

story "watch --json is one line for each reply"
start_watching status --watch --json
wait_for "$dir/watch" '"whole":true'
tell phase A2 flashed
wait_for "$dir/watch" '"phase":"flashed".*"whole":false'
kill -TERM "$watcher"
end_watching
expect_code 0
expect_quiet
stop_daemon

story "a closed stdout is told, and nothing is written into the connection"
start_daemon
closed() { # …
        timeout 20 ./espdfuctl --socket "$socket" "$@" >&- 2>"$dir/stderr" </dev/null
        code=$?
        out=
        err=$(cat "$dir/stderr")
        [ "$code" -eq 1 ] || broken "expected exit code 1: $*"
        [ "$err" = "espdfuctl: cannot write: Bad file descriptor" ] || broken "expected one line: $*"
}
: >"$dir/stdout"
printf '[station]\n' >"$dir/espdfud.conf"
closed status
closed status --json
closed status --watch
closed status --watch --json
closed explain
closed history
closed history --all --json
closed export --format csv
closed export --format json
closed stats
closed consumer list
closed reload
closed config check "$dir"
closed config keys
closed image --help
closed --version
closed --help

story "a watch ends when its reader does, though nothing happens"
# head leaves after a line; what the watch ended with stands in a file.
for how in "" --json; do
        rm -f "$dir/code"
        # shellcheck disable=SC2086
        { timeout 20 ./espdfuctl --socket "$socket" status --watch $how 2>"$dir/stderr" 8>&- 9<&-
                echo $? >"$dir/code"; } | head -n 1 >"$dir/stdout"
        code=$(cat "$dir/code")
        err=$(cat "$dir/stderr")
        expect_code 0
        expect_quiet
done

stop_daemon

story "a daemon that cannot answer"
start_daemon
tell fail
ctl status
expect_code 1
expect_err "Input/output error"
stop_daemon

story "who may only look"
start_daemon peer
ctl status
expect_code 0
for verb in reload "cancel A1" hold "hold A1" "release A1 A2" "retry A4" "flash A4"; do
        # shellcheck disable=SC2086
        ctl $verb
        expect_code 4
        expect_err "only root and the members of the group espdfu may do this"
done
ctl slot learn --timeout 1 --output "$dir/learned.conf" A9
expect_code 4
expect_err "only root and the members of the group espdfu may do this"
expect_not_out "Plug a board"
stop_daemon

story "a socket that may not be opened"
if [ "$(id -u)" -ne 0 ]; then
        start_daemon
        chmod 0 "$socket"
        ctl status
        expect_code 4
        stop_daemon
fi

end_stories
