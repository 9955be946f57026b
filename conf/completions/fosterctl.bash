# SPDX-License-Identifier: MIT
# Copyright The Foster authors
#
# bash completion for fosterctl: verbs, options, and the names of services from the running fosterd.

# _fosterctl looks at these names in the variables of its caller.
_fosterctl_offer() { # _fosterctl_offer WORD...: those that begin with what is there
    local word
    for word; do
        if [[ $word == "$cur"* ]]; then COMPREPLY+=("$word"); fi
    done
}

# The names that the daemon knows which the line is about; without one there are none. With "=": of services only, not of
# instances, and that behind each.
_fosterctl_services() { # _fosterctl_services [=]
    local name names=()
    mapfile -t names < <(fosterctl "${socket[@]}" --timeout 2s list --names 2>/dev/null)
    for name in "${names[@]}"; do
        if [[ ${1-} == = && $name =~ [.][0-9]+$ ]]; then continue; fi
        # What comes from a socket may not become a command.
        if [[ $name =~ ^[A-Za-z0-9_.@-]+$ ]]; then _fosterctl_offer "$name${1-}"; fi
    done
}

_fosterctl_options() { # _fosterctl_options VERB: its options, then those that all have
    case $1 in
    ps | status | ls) _fosterctl_offer -w --wide --watch ;;
    zombies) _fosterctl_offer --reap --nudge ;;
    start | stop | restart) _fosterctl_offer --no-deps --no-wait -t ;;
    reload) _fosterctl_offer -n --dry-run --no-wait ;;
    signal | kill) _fosterctl_offer --all ;;
    events) _fosterctl_offer -f --follow -n ;;
    logs) _fosterctl_offer -f --follow -n --tail= --since= -t --timestamps --no-prefix --raw ;;
    wait) _fosterctl_offer --for= -t ;;
    health) _fosterctl_offer -q --quiet ;;
    graph) _fosterctl_offer --dot --svg ;;
    plot) _fosterctl_offer --text ;;
    scale) _fosterctl_offer --no-wait ;;
    shutdown | down) _fosterctl_offer --now ;;
    list) _fosterctl_offer --names ;;
    esac
    _fosterctl_offer -s --socket= --json --timeout= --color= -h --help -V --version
    if [[ ${COMPREPLY[0]-} == *= ]]; then compopt -o nospace 2>/dev/null; fi
}

_fosterctl_value() { # _fosterctl_value OPTION: what it can be given
    local signals=(HUP INT QUIT KILL USR1 USR2 TERM CONT STOP WINCH)
    local states=(up healthy down waiting starting running ready stopping backoff stopped "done" failed skipped)
    case $verb:$1 in
    signal:-s | kill:-s) _fosterctl_offer "${signals[@]}" ;;
    *:-s | *:--socket)
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        compopt -o filenames 2>/dev/null
        ;;
    *:--color) _fosterctl_offer auto always never ;;
    *:--for) _fosterctl_offer "${states[@]}" ;;
    logs:-t) return 1 ;;
    *:--timeout | *:-t | events:-n | logs:-n | *:--tail | *:--since) ;;
    signal:1 | kill:1) _fosterctl_offer "${signals[@]}" ;;
    *) return 1 ;;
    esac
}

_fosterctl() {
    # The line itself, since readline splits words at "=" too.
    local line=${COMP_LINE:0:COMP_POINT} words=() socket=() cur prev='' verb='' option i n=0
    read -ra words <<<"$line"
    if [[ $line == *[[:space:]] ]]; then words+=(''); fi
    cur=${words[${#words[@]} - 1]}
    COMPREPLY=()
    for ((i = 1; i < ${#words[@]} - 1; i++)); do
        prev=${words[i]}
        case $verb:$prev in
        signal:-s | kill:-s) n=1 ;;
        *:-s | *:--socket) socket=(-s "${words[i + 1]}") ;;
        *:--socket=*) socket=(-s "${prev#*=}") ;;
        logs:-t) continue ;;
        *:--timeout | *:--color | *:--for | *:-t | events:-n | logs:-n | *:--tail | *:--since) ;;
        *:-*) continue ;;
        :*) verb=$prev && continue ;;
        *) n=$((n + 1)) && continue ;;
        esac
        if [[ $prev != --*=* ]]; then i=$((i + 1)); fi
    done
    prev=${words[${#words[@]} - 2]}
    if ((i == ${#words[@]})); then
        _fosterctl_value "$prev"
    elif [[ $cur == --*=* ]]; then
        option=${cur%%=*}
        cur=${cur#*=}
        _fosterctl_value "$option"
        COMPREPLY=("${COMPREPLY[@]/#/$option=}")
        cur=$option=$cur
    elif [[ $cur == -* ]]; then
        _fosterctl_options "$verb"
    else
        case $verb in
        '')
            _fosterctl_offer ps status ls tree zombies start stop restart reload signal kill events logs wait health reset config \
                graph plot scale shutdown down list doctor
            ;;
        signal | kill) if ((n == 0)); then _fosterctl_value 1; else _fosterctl_services; fi ;;
        ps | status | ls | tree | zombies | start | stop | restart | reload | events | logs | wait | health | plot | reset) _fosterctl_services ;;
        scale)
            if [[ $cur != *=* ]]; then _fosterctl_services "=" && compopt -o nospace 2>/dev/null; fi
            ;;
        esac
    fi
    # Readline replaces only $2, what is behind the last break of words.
    COMPREPLY=("${COMPREPLY[@]#"${cur%"$2"}"}")
}

complete -F _fosterctl fosterctl
