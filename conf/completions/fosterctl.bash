# SPDX-License-Identifier: MIT
# Copyright The Foster authors
#
# bash completion for fosterctl: verbs, options, and the names of services from the running fosterd.

_fosterctl_services() {
    # The same daemon that the line is about, so with its -s; without one there is nothing to offer.
    local socket=() i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -s | --socket) socket=(-s "${COMP_WORDS[i + 1]}") ;;
        --socket=*) socket=(-s "${COMP_WORDS[i]#*=}") ;;
        esac
    done
    fosterctl "${socket[@]}" --timeout 2s list --names 2>/dev/null
}

_fosterctl() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb='' i words
    local verbs='ps status tree start stop restart reload signal events wait health reset config graph scale shutdown list doctor'
    local global='-s --socket --json --timeout --color -h --help -V --version'
    local signals='HUP INT QUIT KILL USR1 USR2 TERM CONT STOP WINCH'
    local states='up down waiting starting running ready stopping backoff stopped done failed skipped'
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -s | --socket | --timeout | --color) ((i++)) ;;
        -*) ;;
        *)
            verb=${COMP_WORDS[i]}
            break
            ;;
        esac
    done
    case $prev in
    -s | --socket)
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    --color)
        mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$cur")
        return
        ;;
    --timeout | -t | -n) return ;;
    --for)
        mapfile -t COMPREPLY < <(compgen -W "$states" -- "$cur")
        return
        ;;
    esac
    if [[ -z $verb ]]; then
        if [[ $cur == -* ]]; then words=$global; else words=$verbs; fi
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
        return
    fi
    if [[ $cur == --for=* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$states" -- "${cur#--for=}")
        return
    fi
    if [[ $cur == -* ]]; then
        case $verb in
        ps | status) words='-w --wide --watch' ;;
        start) words='--no-deps --no-wait -t' ;;
        stop | restart) words='--no-deps --no-wait -t' ;;
        reload) words='-n --dry-run --no-wait' ;;
        signal) words='--all' ;;
        events) words='-f --follow -n' ;;
        wait) words='--for= -t' ;;
        health) words='-q --quiet' ;;
        graph) words='--dot --svg' ;;
        shutdown) words='--now' ;;
        list) words='--names' ;;
        scale) words='--no-wait' ;;
        *) words='' ;;
        esac
        mapfile -t COMPREPLY < <(compgen -W "$words --json --help" -- "$cur")
        if [[ ${COMPREPLY[0]} == *= ]]; then compopt -o nospace; fi
        return
    fi
    case $verb in
    ps | status | tree | start | stop | restart | events | wait | health | reset)
        mapfile -t COMPREPLY < <(compgen -W "$(_fosterctl_services)" -- "$cur")
        ;;
    signal)
        words=$signals
        for ((i++; i < COMP_CWORD; i++)); do
            if [[ ${COMP_WORDS[i]} != -* ]]; then words=$(_fosterctl_services); fi
        done
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
        ;;
    scale)
        compopt -o nospace
        mapfile -t COMPREPLY < <(compgen -S = -W "$(_fosterctl_services | sed 's/[.][0-9]*$//' | sort -u)" -- "$cur")
        ;;
    esac
}

complete -F _fosterctl fosterctl
