# SPDX-License-Identifier: MIT
# Copyright The Foster authors
#
# fish completion for fosterctl: verbs, options, and the names of services from the running fosterd.

function __fosterctl_services
    # The same daemon that the line is about.
    set -l words (commandline -opc)
    set -l socket
    for i in (seq 2 (count $words))
        switch $words[$i]
            case -s --socket
                set socket -s $words[(math $i + 1)]
            case '--socket=*'
                set socket -s (string replace -- --socket= '' $words[$i])
        end
    end
    fosterctl $socket --timeout 2s list --names 2>/dev/null
end

complete -c fosterctl -f
complete -c fosterctl -s s -l socket -r -F -d 'control socket'
complete -c fosterctl -l json -d 'print one JSON object'
complete -c fosterctl -l timeout -x -d 'give up after this time'
complete -c fosterctl -l color -x -a 'auto always never' -d 'when to use colour'
complete -c fosterctl -s h -l help -d 'print help'
complete -c fosterctl -s V -l version -d 'print the version'

set -l verbs ps status tree start stop restart reload signal events wait health reset config graph scale shutdown list doctor
set -l none "not __fish_seen_subcommand_from $verbs"
complete -c fosterctl -n $none -a ps -d 'how services are'
complete -c fosterctl -n $none -a status -d 'how services are'
complete -c fosterctl -n $none -a tree -d 'whose process is which'
complete -c fosterctl -n $none -a start -d 'start services, what they require first'
complete -c fosterctl -n $none -a stop -d 'stop services, what requires them first'
complete -c fosterctl -n $none -a restart -d 'stop and start services'
complete -c fosterctl -n $none -a reload -d 'read the configuration again and touch what has changed'
complete -c fosterctl -n $none -a signal -d 'send a signal to services'
complete -c fosterctl -n $none -a events -d 'what has happened, and what happens'
complete -c fosterctl -n $none -a wait -d 'wait until services have reached a state'
complete -c fosterctl -n $none -a health -d 'whether all is well, for probes'
complete -c fosterctl -n $none -a reset -d 'forget failures'
complete -c fosterctl -n $none -a config -d 'the configuration in force'
complete -c fosterctl -n $none -a graph -d 'who depends on whom'
complete -c fosterctl -n $none -a scale -d 'change the number of instances'
complete -c fosterctl -n $none -a shutdown -d 'stop everything and end fosterd'
complete -c fosterctl -n $none -a list -d 'the names of services'
complete -c fosterctl -n $none -a doctor -d 'what works here and what does not'

set -l with_services ps status tree start stop restart signal events wait health reset
complete -c fosterctl -n "__fish_seen_subcommand_from $with_services" -a '(__fosterctl_services)'
complete -c fosterctl -n '__fish_seen_subcommand_from scale' -a "(__fosterctl_services | string replace -r '[.][0-9]+\$' '' | sort -u)="
complete -c fosterctl -n '__fish_seen_subcommand_from ps status' -s w -l wide -d 'more columns'
complete -c fosterctl -n '__fish_seen_subcommand_from ps status' -l watch -d 'again and again'
complete -c fosterctl -n '__fish_seen_subcommand_from start stop restart' -l no-deps -d 'nothing else'
complete -c fosterctl -n '__fish_seen_subcommand_from start stop restart reload scale' -l no-wait -d 'do not wait for the outcome'
complete -c fosterctl -n '__fish_seen_subcommand_from start stop restart wait' -s t -x -d time
complete -c fosterctl -n '__fish_seen_subcommand_from reload' -s n -l dry-run -d 'only say what would be done'
complete -c fosterctl -n '__fish_seen_subcommand_from signal' -l all -d 'to every process'
complete -c fosterctl -n '__fish_seen_subcommand_from events' -s f -l follow -d 'go on'
complete -c fosterctl -n '__fish_seen_subcommand_from events' -s n -x -d 'how many'
complete -c fosterctl -n '__fish_seen_subcommand_from wait' -l for -x -a 'up down waiting starting running ready stopping backoff stopped done failed skipped' -d 'what for'
complete -c fosterctl -n '__fish_seen_subcommand_from health' -s q -l quiet -d 'say nothing'
complete -c fosterctl -n '__fish_seen_subcommand_from graph' -l dot -d 'for dot(1)'
complete -c fosterctl -n '__fish_seen_subcommand_from graph' -l svg -d 'as SVG'
complete -c fosterctl -n '__fish_seen_subcommand_from shutdown' -l now -d 'kill everything'
complete -c fosterctl -n '__fish_seen_subcommand_from list' -l names -d 'names alone'
