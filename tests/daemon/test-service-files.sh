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
for unit in espdfud.service espdfud.socket espdfu-metrics.service espdfu-collect.service espdfu-mqtt.service \
        espdfu-web.service; do
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

sandbox_of_the_metrics_is_at_2() {
        systemd-analyze security --offline=true --threshold=20 "$dir/espdfu-metrics.service"
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

# core/sandbox.c says what they hide.
unit_hides_what_the_programs_say() {
        grep -o '"[A-Z][A-Za-z]*=yes"' "$top/core/sandbox.c" | tr -d '"' | sort -u >"$dir/told"
        [ -s "$dir/told" ] && [ "$(grep -cxF -f "$dir/told" systemd/espdfud.service)" -eq "$(wc -l <"$dir/told")" ]
}

holds "what hides images is what the programs say of it" unit_hides_what_the_programs_say
holds "the page's program is outside the group espdfu" is_outside_the_group espdfu-web
holds "and so is the bridge to a broker" is_outside_the_group espdfu-mqtt
holds "and so is the collector" is_outside_the_group espdfu-collect
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
        holds "and the one that writes figures 2.0 or less" sandbox_of_the_metrics_is_at_2
        holds "systemd-analyze security gives the page's 0.9 or less" sandbox_of_web_is_at_0_9
        holds "and the bridge to a broker 1.1 or less" sandbox_of_mqtt_is_at_1_1
        holds "systemd-sysusers understands the user" users_are_understood
else
        skip "units, sandbox, user: no systemd-analyze"
fi
[ "$skipped" -eq 0 ] || echo "[  SKIPPED ] $skipped test(s)"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
