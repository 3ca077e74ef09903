# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What bash completes behind espdfu-fleet. Verbs, options and columns are what --help says, so a new one needs nothing here.

_espdfu_fleet_help() { # [VERB]
        timeout 1 "${COMP_WORDS[0]}" "$@" --help 2>/dev/null </dev/null
}

_espdfu_fleet() {
        local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} verb='' skip='' i list
        COMPREPLY=()
        for ((i = 1; i < COMP_CWORD; i++)); do
                if [[ -n $skip ]]; then
                        skip=
                elif [[ ${COMP_WORDS[i]} == --config ]]; then
                        skip=yes
                elif [[ ${COMP_WORDS[i]} != -* && -z $verb ]]; then
                        verb=${COMP_WORDS[i]}
                fi
        done
        case $before in
        --config)
                mapfile -t COMPREPLY < <(compgen -f -- "$word")
                return
                ;;
        --output)
                list=$(_espdfu_fleet_help "$verb" | sed -n 's/^  --output COLS  \(.*\);.*/\1/p' | tr -d ' ' | tr , '\n')
                mapfile -t COMPREPLY < <(compgen -P "${word%"${word##*,}"}" -W "$list" -- "${word##*,}")
                return
                ;;
        --station | --slot | --mac | --image | --verdict | --since | --until | --limit)
                return
                ;;
        esac
        if [[ $word == -* ]]; then
                # Before the verb those of the list alone: the verbs' stand in their lines.
                list="--help $(_espdfu_fleet_help ${verb:+"$verb"} | sed -n "${verb:+p;}"'s/^  \(--[a-z]*\) .*/\1/p' | grep -oE -- '--[a-z]+')"
        elif [[ -z $verb ]]; then
                list=$(_espdfu_fleet_help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p')
        else
                return
        fi
        mapfile -t COMPREPLY < <(compgen -W "$list" -- "$word" | sort -u)
}

complete -F _espdfu_fleet espdfu-fleet
