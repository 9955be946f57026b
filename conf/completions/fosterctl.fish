# SPDX-License-Identifier: MIT
# Copyright The Foster authors
#
# fish completion for fosterctl: verbs, options, and the names of services from the running fosterd.

# The verb of the line, then the socket that the line names, if any. A service may be called like a verb.
function __fosterctl_line
    set -l words (commandline -opc)
    set -l verb
    set -l socket
    set -l i 2
    while test $i -le (count $words)
        switch $words[$i]
            case -s
                if not contains -- "$verb" signal kill
                    set socket $words[(math $i + 1)]
                end
                set i (math $i + 1)
            case --socket
                set i (math $i + 1)
                set socket $words[$i]
            case '--socket=*'
                set socket (string replace -- --socket= '' $words[$i])
            case --timeout --color --for --tail --since
                set i (math $i + 1)
            case -t
                if test "$verb" != logs
                    set i (math $i + 1)
                end
            case -n
                if contains -- "$verb" events logs
                    set i (math $i + 1)
                end
            case '-*'
            case '*'
                if test -z "$verb"
                    set verb $words[$i]
                end
        end
        set i (math $i + 1)
    end
    printf '%s\n' "$verb" "$socket"
end

# __fosterctl_verb VERB...: whether it is one of these; without any: whether there is none yet.
function __fosterctl_verb
    set -l line (__fosterctl_line)
    if test (count $argv) = 0
        test -z "$line[1]"
    else
        contains -- "$line[1]" $argv
    end
end

function __fosterctl_services
    set -l line (__fosterctl_line)
    set -l place
    if test -n "$line[2]"
        set place -s $line[2]
    end
    fosterctl $place --timeout 2s list --names 2>/dev/null
end

complete -c fosterctl -f
complete -c fosterctl -n 'not __fosterctl_verb signal kill' -s s -r -F -d 'control socket'
complete -c fosterctl -l socket -r -F -d 'control socket'
complete -c fosterctl -l json -d 'print one JSON object'
complete -c fosterctl -l timeout -x -d 'give up after this time'
complete -c fosterctl -l color -x -a 'auto always never' -d 'when to use colour'
complete -c fosterctl -s h -l help -d 'print help'
complete -c fosterctl -s V -l version -d 'print the version'

complete -c fosterctl -n __fosterctl_verb -a 'ps status ls' -d 'how services are'
complete -c fosterctl -n __fosterctl_verb -a tree -d 'whose process is which'
complete -c fosterctl -n __fosterctl_verb -a zombies -d 'zombies that nobody waits for'
complete -c fosterctl -n __fosterctl_verb -a start -d 'start services, what they require first'
complete -c fosterctl -n __fosterctl_verb -a stop -d 'stop services, what requires them first'
complete -c fosterctl -n __fosterctl_verb -a restart -d 'stop and start services'
complete -c fosterctl -n __fosterctl_verb -a reload -d 'read the configuration again, or have services do so'
complete -c fosterctl -n __fosterctl_verb -a 'signal kill' -d 'send a signal to services'
complete -c fosterctl -n __fosterctl_verb -a events -d 'what has happened, and what happens'
complete -c fosterctl -n __fosterctl_verb -a logs -d 'what services have written'
complete -c fosterctl -n __fosterctl_verb -a wait -d 'wait until services have reached a state'
complete -c fosterctl -n __fosterctl_verb -a health -d 'whether all is well, for probes'
complete -c fosterctl -n __fosterctl_verb -a reset -d 'forget failures'
complete -c fosterctl -n __fosterctl_verb -a config -d 'the configuration in force'
complete -c fosterctl -n __fosterctl_verb -a graph -d 'who depends on whom'
complete -c fosterctl -n __fosterctl_verb -a plot -d 'how the start went, as an SVG'
complete -c fosterctl -n __fosterctl_verb -a scale -d 'change the number of instances'
complete -c fosterctl -n __fosterctl_verb -a 'shutdown down' -d 'stop everything and end fosterd'
complete -c fosterctl -n __fosterctl_verb -a list -d 'the names of services'
complete -c fosterctl -n __fosterctl_verb -a doctor -d 'what works here and what does not'

set -l with_services ps status ls tree zombies start stop restart reload signal kill events logs wait health plot reset
set -l states up healthy down waiting starting running ready stopping backoff stopped done failed skipped
set -l signals HUP INT QUIT KILL USR1 USR2 TERM CONT STOP WINCH
complete -c fosterctl -n "__fosterctl_verb $with_services" -a '(__fosterctl_services)'
complete -c fosterctl -n '__fosterctl_verb signal kill' -a "$signals" -d signal
complete -c fosterctl -n '__fosterctl_verb scale' -a "(__fosterctl_services | string match -rv '[.][0-9]+\$' | string replace -r '\$' '=')"
complete -c fosterctl -n '__fosterctl_verb ps status ls' -s w -l wide -d 'more columns'
complete -c fosterctl -n '__fosterctl_verb ps status ls' -l watch -d 'whenever something happens'
complete -c fosterctl -n '__fosterctl_verb zombies' -l reap -d 'make their parents wait'
complete -c fosterctl -n '__fosterctl_verb zombies' -l nudge -d 'send their parents SIGCHLD'
complete -c fosterctl -n '__fosterctl_verb start stop restart' -l no-deps -d 'nothing else'
complete -c fosterctl -n '__fosterctl_verb start stop restart reload scale' -l no-wait -d 'do not wait for the outcome'
complete -c fosterctl -n '__fosterctl_verb start stop restart wait' -s t -x -d time
complete -c fosterctl -n '__fosterctl_verb reload' -s n -l dry-run -d 'only say what would be done'
complete -c fosterctl -n '__fosterctl_verb signal kill' -s s -x -a "$signals" -d which
complete -c fosterctl -n '__fosterctl_verb signal kill' -l all -d 'to every process'
complete -c fosterctl -n '__fosterctl_verb events' -s f -l follow -d 'go on'
complete -c fosterctl -n '__fosterctl_verb events' -s n -x -d 'how many'
complete -c fosterctl -n '__fosterctl_verb logs' -s f -l follow -d 'go on'
complete -c fosterctl -n '__fosterctl_verb logs' -s n -l tail -x -d 'how many'
complete -c fosterctl -n '__fosterctl_verb logs' -l since -x -d 'from when on'
complete -c fosterctl -n '__fosterctl_verb logs' -s t -l timestamps -d 'with times'
complete -c fosterctl -n '__fosterctl_verb logs' -l no-prefix -d 'without names'
complete -c fosterctl -n '__fosterctl_verb logs' -l raw -d 'as it was written'
complete -c fosterctl -n '__fosterctl_verb wait' -l for -x -a "$states" -d 'what for'
complete -c fosterctl -n '__fosterctl_verb health' -s q -l quiet -d 'say nothing'
complete -c fosterctl -n '__fosterctl_verb graph' -l dot -d 'for dot(1)'
complete -c fosterctl -n '__fosterctl_verb graph' -l svg -d 'as SVG'
complete -c fosterctl -n '__fosterctl_verb plot' -l text -d 'in letters'
complete -c fosterctl -n '__fosterctl_verb shutdown down' -l now -d 'kill everything'
complete -c fosterctl -n '__fosterctl_verb list' -l names -d 'names alone'
