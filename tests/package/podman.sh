#!/bin/sh
# SPDX-License-Identifier: MIT
# Copyright The Foster authors
#
# The self-contained fosterd in containers whose image is a directory with a few programs: given to `podman run --init`
# in the place of its own init, named in containers.conf, as the image's entrypoint, and with services, which fosterctl
# commands from within.
#
#   podman.sh FOSTERD FOSTERCTL ACTOR CMAKE BUILD-DIR
#
# What CMAKE installs of BUILD-DIR, links included, is tried too.
#
# Opt-in, for it runs containers: FOSTER_TEST_PODMAN=1, as root, with podman and runc. Images, containers, locks and
# settings are in a directory of its own, control groups below one of its own; both are removed. There is no network.
set -eu

fosterd=$1
fosterctl=$2
actor=$3
cmake=$4
build=$5
guard=60 # seconds; only a failure takes that long
status=0

skip() {
    echo "SKIP: $*"
    exit 77
}
if [ "${FOSTER_TEST_PODMAN:-}" != 1 ]; then skip 'opt-in: set FOSTER_TEST_PODMAN=1'; fi
if [ "$(id -u)" != 0 ]; then skip 'needs root'; fi
for program in podman runc timeout; do
    command -v "$program" >/dev/null || skip "no $program here"
done

scratch=$(mktemp -d "${TMPDIR:-/tmp}/foster-podman.XXXXXX")
group=${scratch##*/}
podman() {
    timeout $guard podman --root "$scratch/root" --runroot "$scratch/run" --tmpdir "$scratch/tmp" \
        --storage-driver vfs --cgroup-manager cgroupfs --events-backend none --runtime runc "$@" </dev/null
}
# Called by the trap.
# shellcheck disable=SC2317
clean_up() {
    podman rm -f -a -t 0 >/dev/null 2>&1 || :
    # Deepest first, should podman have left a mount behind.
    awk -v dir="$scratch/" 'index($2, dir) == 1 { print $2 }' /proc/mounts | sort -r | while read -r place; do
        umount "$place" || :
    done
    find /sys/fs/cgroup -depth -type d -path "*/$group*" -exec rmdir {} + 2>/dev/null || :
    rm -rf --one-file-system "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

settings() { # settings [LINE]: a containers.conf of our own, for nothing of the machine's shall count
    printf '[containers]\nlog_driver = "none"\n%s\n[engine]\nlock_type = "file"\n' "${1:-}" >"$scratch/containers.conf"
}
CONTAINERS_CONF=$scratch/containers.conf
export CONTAINERS_CONF
settings

import() { # import NAME ENTRYPOINT
    tar -C "$scratch/image" -c . | timeout $guard cat >"$scratch/image.tar"
    podman import -q --change "ENTRYPOINT $2" "$scratch/image.tar" "$1" >"$scratch/said" 2>&1 || {
        cat "$scratch/said"
        skip 'podman cannot import an image here'
    }
}
mkdir -p "$scratch/image/sbin" "$scratch/image/run" "$scratch/image/tmp" "$scratch/ear"
chmod 755 "$scratch" "$scratch/ear"
cp "$fosterd" "$scratch/image/sbin/fosterd"
cp "$fosterctl" "$scratch/image/sbin/fosterctl"
cp "$actor" "$scratch/image/actor"
printf 'services:\n  web: { command: /actor say /ear/fifo ready wait }\n' >"$scratch/image/foster.yaml"
for name in tini docker-init; do ln -s fosterd "$scratch/image/sbin/$name"; done
DESTDIR=$scratch/stage "$cmake" --install "$build" >"$scratch/said" 2>&1 || {
    cat "$scratch/said"
    exit 1
}
link=$(find "$scratch/stage" -type l -name podman-init)
import plain '[]'
import as-fosterd '["/sbin/fosterd", "--"]'
import as-tini '["/sbin/tini", "--"]'
import services '["/sbin/fosterd", "-c", "/foster.yaml"]'
import as-docker-init '["/sbin/docker-init", "--"]'

# The limits: runc may not raise them above what this machine gives.
run() { # run OPTION... IMAGE WORD...
    podman run --network none --cgroup-parent "/$group" --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 \
        -v "$scratch/ear:/ear" "$@"
}

complain() {
    echo "FAILED: $*"
    status=1
}

ends() { # ends CODE OUTPUT WHAT RUN-WORD...: it ends with CODE, and says OUTPUT, and an error only when CODE is 127
    want=$1
    text=$2
    about=$3
    shift 3
    code=0
    run --rm --attach stdout --attach stderr "$@" >"$scratch/out" 2>"$scratch/err" || code=$?
    if [ "$code" != "$want" ]; then complain "$about: exit code $code, not $want: $(cat "$scratch/err")"; fi
    if [ "$(cat "$scratch/out")" != "$text" ]; then complain "$about: said '$(cat "$scratch/out")', not '$text'"; fi
    if [ "$code" = 127 ] && grep -q /missing "$scratch/err"; then return; fi
    if [ "$code" = "$want" ] && [ -s "$scratch/err" ]; then complain "$about: standard error: $(cat "$scratch/err")"; fi
}

begin() { # begin RUN-WORD...: a container c in the background, once it has said that it is ready; its process 1 in $main
    rm -f "$scratch/ear/fifo"
    mkfifo "$scratch/ear/fifo"
    chmod 666 "$scratch/ear/fifo"
    run -d --name c "$@" >"$scratch/said" 2>&1 || {
        complain "a container does not start: $(cat "$scratch/said")"
        return 1
    }
    timeout $guard cat "$scratch/ear/fifo" >"$scratch/heard" || complain 'a container does not get ready'
    main=$(podman inspect -f '{{.State.Pid}}' c)
}

finish() { # finish CODE WHAT: `podman stop` ends it with CODE, by SIGTERM: SIGKILL after the grace would make that 137
    podman stop -t 30 c >/dev/null 2>&1 || complain "$2: podman stop failed"
    code=$(podman inspect -f '{{.State.ExitCode}}' c)
    if [ "$code" != "$1" ]; then complain "$2: exit code $code after a stop, not $1"; fi
    podman rm c >/dev/null
}

is_ours() { # is_ours WHAT: process 1 of the container is the file that is installed
    if [ "$(stat -Lc %d:%i "/proc/$main/exe")" != "$(stat -Lc %d:%i "$link")" ]; then
        complain "$1: process 1 is another program"
    fi
}

children() { wc -w <"/proc/$main/task/$main/children"; }

check_image() { # check_image WHAT RUN-WORD...: all that an init has to do
    what=$1
    shift
    ends 0 1 "$what: the parent" "$@" /actor print %P
    ends 7 '' "$what: exit code" "$@" /actor exit 7
    ends 134 '' "$what: death by a signal" "$@" /actor kill ABRT
    ends 127 '' "$what: a missing command" "$@" /missing
    ends 9 '65534' "$what: read-only, as another user" --read-only --user 65534 --cap-drop ALL "$@" /actor print 65534 exit 9
    if begin "$@" /actor on TERM '[' exit 9 ']' litter 100 say /ear/fifo ready wait; then
        started=$(date +%s)
        until [ "$(children)" -le 1 ] || [ "$(date +%s)" -gt "$((started + 2 * guard))" ]; do :; done
        if [ "$(children)" != 1 ]; then complain "$what: $(children) processes are left where one is running"; fi
        finish 9 "$what: SIGTERM"
    fi
    if begin "$@" /actor say /ear/fifo ready wait; then finish 143 "$what: SIGTERM without a handler"; fi
}

# Whether containers can be run here at all is asked of one without an init.
code=0
run --rm plain /actor exit 5 >"$scratch/said" 2>&1 || code=$?
if [ "$code" != 5 ]; then
    cat "$scratch/said"
    skip 'podman cannot run a container here'
fi

check_image 'podman run --init with fosterd' --init --init-path "$fosterd" plain
check_image 'podman run --init with the installed link' --init --init-path "$link" plain
check_image 'ENTRYPOINT of fosterd' as-fosterd
check_image 'ENTRYPOINT of tini' as-tini
check_image 'ENTRYPOINT of docker-init' as-docker-init
ends 0 'tini version 0.19.0 - foster' 'docker-init --version' --entrypoint /sbin/docker-init plain --version

# Where nobody can give an init options, a variable can.
ends 0 '' 'FOSTER_INIT_REMAP_EXIT' --init --init-path "$fosterd" -e FOSTER_INIT_REMAP_EXIT=6,7 plain /actor exit 7

# Services, and a probe from within, as another program that podman starts there.
ctl() { podman exec c /sbin/fosterctl "$@"; }
if begin --read-only services; then
    ctl wait --for=up -t "${guard}s" >"$scratch/said" 2>&1 || complain "fosterctl wait: $(cat "$scratch/said")"
    ctl health -q >"$scratch/said" 2>&1 || complain "fosterctl health: $(cat "$scratch/said")"
    if [ -s "$scratch/said" ]; then complain "fosterctl health -q said: $(cat "$scratch/said")"; fi
    ctl ps >"$scratch/said" 2>&1 || complain "fosterctl ps: $(cat "$scratch/said")"
    if ! grep -q '^web ' "$scratch/said"; then complain "fosterctl ps shows: $(cat "$scratch/said")"; fi
    ctl stop web >"$scratch/said" 2>&1 || complain "fosterctl stop: $(cat "$scratch/said")"
    code=0
    ctl health -q web >"$scratch/said" 2>&1 || code=$?
    if [ "$code" != 3 ]; then complain "fosterctl health of a stopped service: $code"; fi
    finish 0 'services, SIGTERM'
fi

settings "init_path = \"$link\""
if begin --init plain /actor say /ear/fifo ready wait; then
    is_ours 'init_path of containers.conf'
    finish 143 'init_path of containers.conf'
fi
exit $status
