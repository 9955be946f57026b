#!/bin/sh
# SPDX-License-Identifier: MIT
# Copyright The Foster authors
#
# Does what README.md says under "Watch and command it", word by word, in a copy of what ./dev run leaves: the commands
# work, and the changed key restarts its service and no other.
#
#   readme.sh SOURCE-DIR FOSTERD FOSTERCTL
set -eu

source=$1
guard=60 # seconds; only a failure takes that long
scratch=$(mktemp -d "${TMPDIR:-/tmp}/foster-readme.XXXXXX")
daemon=
# Called by the trap.
# shellcheck disable=SC2317
clean_up() {
    if [ -n "$daemon" ]; then
        kill "$daemon" 2>/dev/null || :
        wait "$daemon" || :
    fi
    rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 143' TERM INT HUP

mkdir -p "$scratch/build/release" "$scratch/conf" "$scratch/run"
cp "$source/conf/demo.yaml" "$scratch/conf"
cp "$2" "$scratch/build/release/fosterd"
cp "$3" "$scratch/build/release/fosterctl"
cd "$scratch"
FOSTER_RUNTIME_DIR=$scratch/run
export FOSTER_RUNTIME_DIR
unset FOSTER_SOCKET

fail() {
    echo "$*"
    for file in said log; do
        if [ -e "$file" ]; then sed "s/^/    $file: /" "$file"; fi
    done
    exit 1
}

awk '/^## / { on = /Watch and command it/ } on && /^```sh$/ { block++; next } on && /^```$/ { if (block) closed = block; next }
    on && block > closed { print >("block" block) }' "$source/README.md"
if [ ! -s block1 ] || [ ! -s block2 ] || [ -e block3 ]; then fail 'README.md has not two blocks of commands there'; fi

# What it says on standard error goes through a pipe, to be waited for.
mkfifo said.fifo
build/release/fosterd -c conf/demo.yaml >/dev/null 2>said.fifo &
daemon=$!
exec 3<said.fifo
while read -r line <&3; do
    echo "$line" >>log
    case $line in *'every service has been started'*) break ;; esac
done
cat <&3 >>log &
exec 3<&-

pid_of() { build/release/fosterctl ps | awk -v name="$1" '$1 == name { print $4 }'; }
run() { # run BLOCK: as a shell does that is given one line after the other
    timeout $guard sh -eu "$1" >said 2>&1 || fail "$1 of README.md fails"
}

run block1
for word in NAME flaky parent clock '~' 'adopted'; do
    grep -qF -e "$word" said || fail "the first block of README.md does not show $word"
done
parent=$(pid_of parent)
clock=$(pid_of clock)
{
    grep '^PATH=' block1
    cat block2
} >block3
run block3
grep -qF -e '~ clock (environment)' said || fail 'the plan is not the one that README.md shows'
grep -q '^clock: ready in ' said || fail 'the outcome is not the one that README.md shows'
for pid in "$parent" "$clock"; do
    case $pid in '' | *[!0-9]*) fail "no pids before: parent $parent, clock $clock" ;; esac
done
if [ "$(pid_of parent)" != "$parent" ]; then fail "parent had pid $parent, and has now: $(pid_of parent)"; fi
if [ "$(pid_of clock)" = "$clock" ]; then fail "clock still has pid $clock"; fi
