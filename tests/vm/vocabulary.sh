# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
# The words in which scenarios tell their story. Sourced first: `. ./vocabulary.sh`.
# A scenario ends at the first thing that is not as expected; nothing sleeps and hopes.
set -eu
exec 3>&1 # where a failure is told, also from within a redirection

BED_SOCKET=/run/vm-bed
BED_LOG=/tmp/vm-bed.log
CONFIG=/etc/espdfu/espdfud.conf.d
story=
story_from=

now_msec() {
        date +%s%3N
}

# tell WORDS…: names the step that follows, and says of the one before that it held.
tell() {
        story_holds
        story=$*
        story_from=$(now_msec)
}

story_holds() {
        [ -z "$story" ] || echo "ok: $story ($(seconds_since "$story_from") s)"
        story=
}

# seconds_since MSEC: with one digit behind the point.
seconds_since() {
        seconds_tenths=$((($(now_msec) - $1) / 100))
        echo "$((seconds_tenths / 10)).$((seconds_tenths % 10))"
}

fail() {
        exec >&3
        echo "NOT OK: $story: $*"
        story=
        [ ! -s "$BED_LOG" ] || { echo "---- $BED_LOG" && tail -n 60 "$BED_LOG"; }
        exit 1
}

# The last step's word, and the end of the bed.
ending() {
        status=$?
        trap - EXIT
        if [ "$status" -eq 0 ]; then
                story_holds
        elif [ -n "$story" ]; then
                echo "NOT OK: $story (exit status $status)" >&3
        fi
        bed quit >/dev/null 2>&1 || :
        exit "$status"
}
trap ending EXIT

open_bed() {
        vm-bed serve $BED_SOCKET >"$BED_LOG" 2>&1 &
        until_true 30 test -S $BED_SOCKET
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

# ---- the station, as the package has installed it ----

# configure NAME <<TEXT: a drop-in. It counts from the next start or reload.
configure() {
        mkdir -p $CONFIG
        cat >"$CONFIG/$1.conf"
}

# policy CHIP IMAGE [LINE…]: the words of a policy for all boards of this chip, named after it.
policy() {
        printf '[policy %s]\nchip = %s\nimage = %s\n' "$1" "$1" "$(realpath "$2")"
        shift 2
        [ $# -eq 0 ] || printf '%s\n' "$@"
}

reload() {
        systemctl reload espdfud.service || fail "reload"
}

# wait_phase PHASE SECONDS SLOT…: until each slot (its name, or its port path) is in this phase.
wait_phase() {
        phase=$1
        limit=$2
        shift 2
        end=$(($(date +%s) + limit))
        for slot in "$@"; do
                until slot_is "$slot" "$phase"; do
                        [ "$(date +%s)" -lt "$end" ] || {
                                espdfuctl status
                                fail "slot $slot is not $phase after $limit s"
                        }
                        sleep 0.2
                done
        done
}

slot_is() {
        [ "$(slot_field "$1" phase)" = "$2" ]
}

# slot_field SLOT FIELD: one field of the slot's status. Asking starts a service that is not running.
slot_field() {
        espdfuctl status --json 2>/dev/null |
                jq -r --arg slot "$1" --arg field "$2" '.slots[] | select(.slot == $slot or .port == $slot) | .[$field]'
}

# service_is STATE [UNIT]: active, inactive, failed, … of systemctl.
service_is() {
        [ "$(systemctl is-active "${2:-espdfud.service}")" = "$1" ]
}

# service_field NAME: as systemctl show has it.
service_field() {
        systemctl show --value -p "$1" espdfud.service
}

# Now; journal_since looks from there on. By time: behind a cursor that its filter hides, journalctl skips one line more.
journal_mark() {
        journal_from=$(date '+%F %T.%6N')
}

# journal_since ARGUMENT…: what journalctl with these prints, since the last mark.
journal_since() {
        journalctl -q --no-pager --sync
        journalctl -q --no-pager --since "$journal_from" "$@"
}

# journal_has PATTERN [ARGUMENT…]: a line since the mark, of the service unless arguments of journalctl say otherwise.
journal_has() {
        journal_pattern=$1
        shift
        [ $# -gt 0 ] || set -- -u espdfud.service
        journal_since -o cat "$@" | grep -qE -- "$journal_pattern"
}

# attempts_at PORT_PATH: the verdicts of all attempts there, the oldest first, in one line.
attempts_at() {
        espdfuctl history --all --json | jq -r --arg port "$1" '[.attempts[] | select(.port == $port) | .verdict] | reverse | join(" ")'
}

# attempts_are PORT_PATH VERDICTS
attempts_are() {
        [ "$(attempts_at "$1")" = "$2" ]
}

# What the ledger promises: closed rows are numbered without gaps, and no attempt of a job stands there twice.
expect_ledger_whole() {
        espdfuctl history --all --json >ledger.json
        jq -e '([.attempts[].sequence | values] | sort) as $s | $s == [range(1; ($s | length) + 1)]' ledger.json >/dev/null ||
                fail "sequence has gaps"
        jq -e '[.attempts[] | [.job, .attempt]] | length == (unique | length)' ledger.json >/dev/null ||
                fail "an attempt stands there twice"
}

as_outsider() {
        id outsider >/dev/null 2>&1 || useradd -M outsider
        setpriv --reuid=outsider --regid=outsider --clear-groups "$@"
}

as_member() {
        id member >/dev/null 2>&1 || useradd -M -G espdfu member
        setpriv --reuid=member --regid=member --init-groups "$@"
}
