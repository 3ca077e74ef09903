# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion for espdfuctl. What can stand where is read from its own --help, so nothing is written down twice;
# the names of slots are asked of the daemon, for at most a second.

# CALL: what the help of it says, a line each: "verb NAME", "option --NAME [METAVAR]", "operand METAVAR",
# "value METAVAR WORD".
_espdfuctl_words() {
        awk -v call="$1" '
                tolower($1) == "usage:" { usage = 1 }
                $0 == "" { usage = 0 }
                usage && /espdfuctl / { # of several calls in a usage those that go on from here
                        at = index($0 " ", call " ")
                        rest = at ? substr($0, at + length(call) + 1) : ""
                        if (match(rest, /^[a-z]+/))
                                print "verb", substr(rest, 1, RLENGTH)
                        operands = operands " " rest
                }
                usage && !/espdfuctl / { operands = operands " " $0 }
                /^  [a-z]/ { # a verb in a list of verbs; what it takes says its own help
                        print "verb", $1
                        next
                }
                {
                        for (text = $0; match(text, /--[a-z][a-z-]*( [A-Z]+)?/); text = substr(text, RSTART + RLENGTH))
                                print "option", substr(text, RSTART, RLENGTH)
                }
                match($0, /--[a-z-]+ [A-Z]+  +[0-9a-z]/) { # "--chip CHIP   esp32s2, esp32s3": what CHIP can be
                        split(substr($0, RSTART), parts, / +/)
                        values = substr($0, RSTART + RLENGTH - 1)
                        sub(/[;…].*/, "", values)
                        count = split(values, list, /, */)
                        for (i = 1; i <= count; i++)
                                if (count > 1 && list[i] ~ /^[0-9A-Za-z-]+ ?$/)
                                        print "value", parts[2], list[i]
                }
                END {
                        gsub(/--?[a-z-]+ [A-Z]+/, "", operands) # what belongs to an option is no operand
                        for (; match(operands, /[A-Z][A-Z]+/); operands = substr(operands, RSTART + RLENGTH))
                                print "operand", substr(operands, RSTART, RLENGTH)
                }'
}

_espdfuctl_slots() {
        timeout 1 "${program[@]}" status --json 2>/dev/null </dev/null |
                sed -n 's/^ *"\(slot\|port\)": *"\([^"]*\)".*/\2/p'
}

# METAVAR: what can stand there.
_espdfuctl_values() {
        case $1 in
        SLOT | PORT) mapfile -t COMPREPLY < <(compgen -W "$(_espdfuctl_slots)" -- "$cur") ;;
        DIR)
                compopt -o filenames 2>/dev/null
                mapfile -t COMPREPLY < <(compgen -d -- "$cur")
                ;;
        FILE | PATH | OUT | ADDR | KEY | SIG)
                compopt -o filenames 2>/dev/null
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
                ;;
        COLS | EVENTS) # a list: what stands before the last comma stays
                local before='' words_of_list
                [[ $cur != *,* ]] || before=${cur%,*},
                words_of_list=$(sed -n "s/^value $1 //p" <<<"$known")
                mapfile -t COMPREPLY < <(compgen -P "$before" -W "$words_of_list" -- "${cur##*,}")
                # One that is said already is not offered again.
                mapfile -t COMPREPLY < <(printf '%s\n' "${COMPREPLY[@]}" | awk -v before=",$before" -v skip=${#before} \
                        'length && !index(before, "," substr($0, skip + 1) ",")')
                compopt -o nospace 2>/dev/null
                ;;
        *) mapfile -t COMPREPLY < <(compgen -W "$(sed -n "s/^value $1 //p" <<<"$known")" -- "$cur") ;;
        esac
}

_espdfuctl() {
        local cur known word option='' metavar='' said='' call=espdfuctl
        local -a words program

        COMPREPLY=()
        # Not COMP_WORDS: a slot's name and a MAC may have the : in them that bash breaks words at.
        read -ra words <<<"${COMP_LINE:0:COMP_POINT}"
        [[ ${COMP_LINE:0:COMP_POINT} != *[[:space:]] ]] || words+=('')
        cur=${words[-1]}
        program=("${words[0]/#\~/$HOME}")
        known=$("${program[@]}" --help 2>/dev/null </dev/null | _espdfuctl_words "$call")

        for word in "${words[@]:1:${#words[@]}-2}"; do
                if [[ $metavar ]]; then
                        # Slots are those of the station that is meant.
                        [[ $call != espdfuctl ]] || program+=("$option" "$word")
                        metavar=''
                elif [[ $word == -o ]]; then
                        metavar=OUT
                elif [[ $word == -H ]]; then
                        metavar=HOST option=$word
                elif [[ $word == -* ]]; then
                        option=$word
                        metavar=$(sed -n "s/^option ${word//[^a-z-]/} \([A-Z]*\)$/\1/p" <<<"$known" | head -n 1)
                elif grep -qx "verb ${word//[^a-z-]/}" <<<"$known"; then
                        # Each verb has a help of its own.
                        call+=" $word" said+=" $word"
                        # shellcheck disable=SC2086 # words
                        known=$("${program[0]}" $said --help 2>/dev/null </dev/null | _espdfuctl_words "$call")
                        ! grep -qx "verb $word" <<<"$known" || known=$(grep -v '^verb' <<<"$known")
                fi
        done

        if [[ $metavar ]]; then
                _espdfuctl_values "$metavar"
        elif [[ $cur == -* ]]; then
                words=("$(sed -n 's/^option \([a-z-]*\).*/\1/p' <<<"$known")" --help)
                mapfile -t COMPREPLY < <(compgen -W "${words[*]}" -- "$cur" | sort -u)
        elif grep -q '^verb' <<<"$known"; then
                mapfile -t COMPREPLY < <(compgen -W "$(sed -n 's/^verb //p' <<<"$known")" -- "$cur")
        else
                metavar=$(sed -n 's/^operand //p' <<<"$known" | head -n 1)
                [[ ! $metavar ]] || _espdfuctl_values "$metavar"
        fi
        # bash puts in what stands behind the last : alone.
        if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then
                COMPREPLY=("${COMPREPLY[@]#"${cur%"${cur##*:}"}"}")
        fi
}

complete -F _espdfuctl espdfuctl
