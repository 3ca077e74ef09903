#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# What systemd reads of ours, as systemd's own tools see it: units, catalog, sandbox. What it does at work, tests/vm shows.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0 skipped=0

# holds WORDS COMMAND...
holds() {
        words=$1
        shift
        if "$@" >"$dir/out" 2>&1; then
                passed=$((passed + 1))
        else
                failed=$((failed + 1))
                echo "NOT OK: $words"
                cat "$dir/out"
        fi
}

skip() {
        skipped=$((skipped + 1))
        echo "skipped: $*"
}

# The units as built, but for the programs, which need not be installed.
cp "$top/systemd/espdfu-metrics.timer" "$dir"
runstate=$(sed -n 's|^ListenStream=\(.*\)/espdfu/io.espdfu.Station1$|\1|p' systemd/espdfud.socket)
services='espdfud.service espdfu-collect.service espdfu-metrics.service espdfu-mqtt.service espdfu-web.service'
for unit in espdfud.socket $services; do
        sed 's|^\(Exec[A-Za-z]*\)=[-+]*/[^ ]*|\1=/bin/true|' "systemd/$unit" >"$dir/$unit"
done

every_message_has_its_entry() {
        grep -o '"[0-9a-f]\{32\}"' "$top/daemon/message-ids.h" | tr -d '"' | sort >"$dir/sent"
        sed -n 's/^-- //p' "$top/systemd/espdfu.catalog" | sort >"$dir/explained"
        [ -s "$dir/sent" ] && diff "$dir/sent" "$dir/explained"
}

catalog_compiles() {
        mkdir -p "$dir/root/usr/lib/systemd/catalog" "$dir/root/var/lib/systemd/catalog"
        cp "$top/systemd/espdfu.catalog" "$dir/root/usr/lib/systemd/catalog/"
        journalctl --root="$dir/root" --update-catalog || return 1
        journalctl --root="$dir/root" --list-catalog >"$dir/listed" || return 1
        [ "$(wc -l <"$dir/listed")" -eq "$(wc -l <"$dir/explained")" ]
}

units_are_understood() {
        systemd-analyze verify --man=no "$dir/espdfud.service" "$dir/espdfud.socket" \
                "$dir/espdfu-metrics.service" "$dir/espdfu-metrics.timer" "$dir/espdfu-collect.service" \
                "$dir/espdfu-mqtt.service" \
                "$dir/espdfu-web.service" && [ ! -s "$dir/out" ]
}

# In tenths of what `systemd-analyze security` prints.
sandbox_is_at_1_5() {
        systemd-analyze security --offline=true --threshold=15 "$dir/espdfud.service"
}

sandbox_of_the_metrics_is_at_0_9() {
        systemd-analyze security --offline=true --threshold=9 "$dir/espdfu-metrics.service"
}

# It speaks to a network: no more than that may be open.
sandbox_of_web_is_at_0_9() {
        systemd-analyze security --offline=true --threshold=9 "$dir/espdfu-web.service"
}

# It speaks to a broker, wherever that is.
sandbox_of_mqtt_is_at_1_1() {
        systemd-analyze security --offline=true --threshold=11 "$dir/espdfu-mqtt.service"
}

sandbox_of_collect_is_at_1_1() {
        systemd-analyze security --offline=true --threshold=11 "$dir/espdfu-collect.service"
}

# What systemd-analyze misses ("✗ PrivateUsers= …", "✗ User=/DynamicUser= …") is named in a comment of the unit.
what_is_left_out_has_its_reason() {
        for unit in espdfud.service espdfu-metrics.service espdfu-web.service espdfu-mqtt.service espdfu-collect.service; do
                systemd-analyze security --no-pager --offline=true "$dir/$unit" | sed -n 's/^✗ \([A-Za-z]*=\).*/\1/p' |
                        sort -u >"$dir/missed"
                [ -s "$dir/missed" ] || return 1
                while read -r directive; do
                        grep -q "^#.*\<$directive" "$dir/$unit" || echo "$unit: no reason for the lack of $directive"
                done <"$dir/missed"
        done >"$dir/without"
        cat "$dir/without"
        [ ! -s "$dir/without" ]
}

users_are_understood() {
        systemd-sysusers --dry-run "$top/systemd/espdfud.sysusers" &&
                systemd-sysusers --dry-run "$top/systemd/espdfu-collect.sysusers" &&
                systemd-sysusers --dry-run "$top/systemd/espdfu-mqtt.sysusers" &&
                systemd-sysusers --dry-run "$top/systemd/espdfu-web.sysusers"
}

# It may not act on the station, and is nobody's favour: neither its unit nor its user brings it into the group.
is_outside_the_group() { # NAME
        ! grep -E '^(SupplementaryGroups|Group)=' "$dir/$1.service" | grep -v "^Group=$1\$" &&
                ! grep -E '^(m|g)' "$top/systemd/$1.sysusers"
}

# bound_below_run UNIT WORDS: what its unit gives back of /run, and nothing else does.
bound_below_run() {
        grep -qx 'TemporaryFileSystem=/run:ro' "$dir/$1" || return 1
        sed -n 's/^Bind[A-Za-z]*Paths=//p' "$dir/$1" | tr ' ' '\n' | grep -E "^-(/run|$runstate)/" | sed "s|^-$runstate/espdfu\$|station|; s|^-/run/||" |
                sort | tr '\n' ' ' >"$dir/bound"
        cat "$dir/bound"
        [ "$(cat "$dir/bound")" = "$2 " ] && ! grep -E '^(Runtime|ReadWrite)[A-Za-z]*=.*/run' "$dir/$1"
}

# Of all sockets below /run root's service sees the station's: no line gives it another back.
metrics_sees_no_socket_but_the_stations() {
        grep -qx 'TemporaryFileSystem=/run:ro' "$dir/espdfu-metrics.service" &&
                grep -qx 'PrivateNetwork=yes' "$dir/espdfu-metrics.service" &&
                bound_below_run espdfu-metrics.service station &&
                ! grep -E '^(Runtime|ReadWrite)[A-Za-z]*=.*/run' "$dir/espdfu-metrics.service"
}

# Whose processes are root's, too. What is taken from the filter no later line gives back.
metrics_signals_nobody() {
        grep '^SystemCallFilter=' "$dir/espdfu-metrics.service" | tail -n 1 >"$dir/last"
        for call in kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_send_signal; do
                grep -qE "^SystemCallFilter=~(.* )?$call( |\$)" "$dir/last" || echo "$call"
        done >"$dir/allowed"
        cat "$dir/allowed"
        [ ! -s "$dir/allowed" ]
}

# hides UNIT PATH...
hides() {
        unit=$1
        shift
        for path; do
                grep -qE "^InaccessiblePaths=(.* )?-$path( |\$)" "$dir/$unit" || echo "$unit: $path"
        done
}

# These ask for names.
fleet_does_not_reach_the_bus() {
        for unit in espdfu-mqtt.service espdfu-collect.service; do
                hides "$unit" /run/dbus /run/systemd/private
        done >"$dir/reached"
        cat "$dir/reached"
        [ ! -s "$dir/reached" ]
}

# Of what listens below /run, for every local user or for some, nothing else is there.
others_below_run_are_not_there() {
        bound_below_run espdfud.service "station systemd/journal systemd/notify udev" &&
                bound_below_run espdfu-web.service "station systemd/journal systemd/notify"
}

# systemd leaves the mounts that it makes of ExecPaths= out when it makes all else read-only: each is bound so once more.
what_is_executed_is_not_written() {
        for unit in $services; do
                for paths in ExecPaths BindReadOnlyPaths; do
                        sed -n "s/^$paths=//p" "systemd/$unit" | tr ' ' '\n' | sort >"$dir/$paths"
                done
                [ -s "$dir/ExecPaths" ] || echo "$unit: no ExecPaths="
                comm -23 "$dir/ExecPaths" "$dir/BindReadOnlyPaths" | sed "s|^|$unit: |"
        done >"$dir/written"
        cat "$dir/written"
        [ ! -s "$dir/written" ]
}

# ProtectSystem= leaves /dev out, and PrivateDevices= binds the host's /dev/shm.
nobody_writes_where_everybody_may() {
        for unit in $services; do
                for path in /dev/shm /dev/mqueue; do
                        grep -qE "^InaccessiblePaths=(.* )?-$path( |\$)" "$dir/$unit" || echo "$unit: $path"
                done
        done >"$dir/open"
        cat "$dir/open"
        [ ! -s "$dir/open" ]
}

# core/sandbox.c says what they hide.
unit_hides_what_the_programs_say() {
        grep -o '"[A-Z][A-Za-z]*=[^"]*"' "$top/core/sandbox.c" | tr -d '"' | sort -u >"$dir/told"
        [ -s "$dir/told" ] && [ "$(grep -cxF -f "$dir/told" systemd/espdfud.service)" -eq "$(wc -l <"$dir/told")" ]
}

holds "what hides images is what the programs say of it" unit_hides_what_the_programs_say
holds "the page's program is outside the group espdfu" is_outside_the_group espdfu-web
holds "and so is the bridge to a broker" is_outside_the_group espdfu-mqtt
holds "and so is the collector" is_outside_the_group espdfu-collect
holds "of sockets below /run the one that writes figures sees the station's alone" metrics_sees_no_socket_but_the_stations
holds "and it may signal nobody" metrics_signals_nobody
holds "of what listens below /run the service and the page see the station, the journal and systemd's ear alone" \
        others_below_run_are_not_there
holds "the bridge and the collector see neither D-Bus nor systemd's own socket" fleet_does_not_reach_the_bus
holds "nobody of ours writes where every user may" nobody_writes_where_everybody_may
holds "nobody of ours writes the programs and libraries that it executes" what_is_executed_is_not_written
holds "every message id of the daemon has an entry in the catalog, and none stands there for nothing" \
        every_message_has_its_entry
if command -v journalctl >/dev/null; then
        holds "the catalog compiles" catalog_compiles
else
        skip "the catalog compiles: no journalctl"
fi
if command -v systemd-analyze >/dev/null; then
        holds "systemd understands the units, every line of them" units_are_understood
        holds "systemd-analyze security gives the service 1.5 or less" sandbox_is_at_1_5
        holds "and the one that writes figures 0.9 or less" sandbox_of_the_metrics_is_at_0_9
        holds "systemd-analyze security gives the page's 0.9 or less" sandbox_of_web_is_at_0_9
        holds "and the bridge to a broker 1.1 or less" sandbox_of_mqtt_is_at_1_1
        holds "and so is the collector's" sandbox_of_collect_is_at_1_1
        holds "what is left out has its reason in the unit" what_is_left_out_has_its_reason
        holds "systemd-sysusers understands the user" users_are_understood
else
        skip "units, sandbox, user: no systemd-analyze"
fi
[ "$skipped" -eq 0 ] || echo "[  SKIPPED ] $skipped test(s)"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
