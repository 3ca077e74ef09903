# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
# The words in which scenarios tell their story. Sourced first: `. ./vocabulary.sh`.
# A scenario ends at the first thing that is not as expected; nothing sleeps and hopes.
set -eu
exec 3>&1 # where a failure is told, also from within a redirection

BED_SOCKET=/run/vm-bed
BED_LOG=/tmp/vm-bed.log
STATION_SOCKET=/run/espdfu/io.espdfu.Station1
STATION_LOG=/tmp/espdfud.log
station_pid=
story=

# tell WORDS…: names the step that follows, and says of the one before that it held.
tell() {
        [ -z "$story" ] || echo "ok: $story"
        story=$*
}

fail() {
        exec >&3
        echo "NOT OK: $story: $*"
        story=
        show_logs
        exit 1
}

show_logs() {
        for log in "$BED_LOG" "$STATION_LOG"; do
                [ ! -s "$log" ] || { echo "---- $log" && tail -n 60 "$log"; }
        done
        if [ -n "$station_pid" ]; then
                espdfuctl --socket $STATION_SOCKET status || :
        fi
}

# The last step's word, and the end of the bed. Set by open_bed.
close_bed() {
        status=$?
        trap - EXIT
        if [ "$status" -eq 0 ]; then
                echo "ok: $story"
        elif [ -n "$story" ]; then
                echo "NOT OK: $story (exit status $status)"
                show_logs
        fi
        bed quit >/dev/null 2>&1 || :
        exit "$status"
}

open_bed() {
        vm-bed serve $BED_SOCKET >"$BED_LOG" 2>&1 &
        until_true 30 test -S $BED_SOCKET
        trap close_bed EXIT
}

# until_true SECONDS COMMAND…: asks again until it is so, or fails.
until_true() {
        limit=$1
        shift
        end=$(($(date +%s) + limit))
        until "$@" >/dev/null 2>&1; do
                [ "$(date +%s)" -lt "$end" ] || fail "waited $limit s for: $*"
                sleep 0.1
        done
}

bed() {
        vm-bed ask $BED_SOCKET "$@"
}

# plug PORT CHIP [WORD…]: a board, until udev has done with it. The words: vm-bed help.
plug() {
        bed plug "$@" || fail "plug $*"
        # Interface 2 is the DFU one: with it udev has the whole board.
        until_true 20 udev_has "$(path_of "$1")"
}

pull() {
        bed pull "$1" || fail "pull $1"
        until_true 20 test ! -e "/sys/bus/usb/devices/$(path_of "$1")"
}

path_of() {
        bed path "$1"
}


udev_has() {
        udevadm info "/sys/bus/usb/devices/$1" 2>/dev/null | grep -q '^E: ID_PATH=' &&
                [ -e "/sys/bus/usb/devices/$1/$1:1.2" ]
}

# expect_equal WHAT IS EXPECTED
expect_equal() {
        [ "$2" = "$3" ] || fail "$1 is '$2', expected '$3'"
}

# expect_line FILE PATTERN: one line of the file matches (extended regular expression).
expect_line() {
        grep -qE -- "$2" "$1" || {
                cat "$1"
                fail "no line matches: $2"
        }
}

# expect_counter PORT NAME VALUE
expect_counter() {
        expect_equal "port $1, $2" "$(bed counters "$1" "$2")" "$3"
}

# The flash holds what the image says, no rule of the ROM was broken on the way, and the board is idle.
expect_flashed() {
        bed compare "$1" "$2" || fail "port $1: compare with $2"
        expect_counter "$1" violations 0
        expect_counter "$1" raw-downloads 0
        expect_equal "port $1, state" "$(bed state "$1")" dfuIDLE
}

now_msec() {
        date +%s%3N
}

# ---- our own programs ----

# open_station CONFIG_DIR STATE_DIR: the daemon, by hand and as root.
open_station() {
        mkdir -p "$(dirname $STATION_SOCKET)"
        espdfud --config "$1" --socket $STATION_SOCKET --state "$2" >"$STATION_LOG" 2>&1 &
        station_pid=$!
        until_true 20 station_answers
}

station_answers() {
        kill -0 "$station_pid" || fail "the daemon ended"
        espdfuctl --socket $STATION_SOCKET status --json
}

close_station() {
        kill "$station_pid"
        station_status=0
        wait "$station_pid" || station_status=$?
        expect_equal "the daemon's exit status" $station_status 0
}

# wait_phase PHASE SECONDS SLOT…: until each slot (its name, or its port path) is in this phase.
wait_phase() {
        phase=$1
        limit=$2
        shift 2
        end=$(($(date +%s) + limit))
        for slot in "$@"; do
                until slot_is "$slot" "$phase"; do
                        [ "$(date +%s)" -lt "$end" ] || fail "slot $slot is not $phase after $limit s"
                        sleep 0.2
                done
        done
}

slot_is() {
        kill -0 "$station_pid" 2>/dev/null || fail "the daemon ended"
        espdfuctl --socket $STATION_SOCKET status --json |
                jq -e --arg slot "$1" --arg phase "$2" \
                        'any(.slots[]; (.slot == $slot or .port == $slot) and .phase == $phase)' >/dev/null
}

# slot_field SLOT FIELD: one field of the slot's status.
slot_field() {
        espdfuctl --socket $STATION_SOCKET status --json |
                jq -r --arg slot "$1" --arg field "$2" '.slots[] | select(.slot == $slot or .port == $slot) | .[$field]'
}
