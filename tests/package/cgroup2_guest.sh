#!/bin/busybox sh
# shellcheck shell=dash
# SPDX-License-Identifier: MIT
# Copyright The Foster authors
#
# Process 1 of the virtual machine of cgroup2.sh: fosterd in the topmost group, alone in a group, in one with another
# process, in one that was left to a user, and told of one after another fosterd was killed there; at last in the place
# of this script.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t cgroup2 none /sys/fs/cgroup
top=/sys/fs/cgroup
status=0

is() { # is WHAT WANTED
    if [ "$1" = "$2" ]; then return; fi
    echo "FAILED: $about: '$1', not '$2'"
    cat /tmp/said
    status=1
}
begin() { # begin WHAT YAML GROUP [COMMAND]: a fosterd in the group, until one of its services is ready
    about=$1
    echo "$2" >/tmp/foster.yaml
    mkfifo -m 666 /tmp/ready
    sh -c "echo 0 >'$3/cgroup.procs' && ${4:-exec fosterd -c /tmp/foster.yaml}" >/tmp/said 2>&1 &
    fosterd=$!
    timeout 60 cat /tmp/ready >/tmp/heard || is "no service is ready" ""
    rm /tmp/ready
}
finish() { # finish GROUP: nothing is left below it
    kill "$fosterd"
    wait "$fosterd"
    is $? 0
    is "$(find "$1" -mindepth 1 -type d)" ''
}
limits() { fosterctl ps --wide | awk -v name="$1" '$1 == name { print $13 }'; }
value() { cat "$1/foster-$fosterd/$2"; }

services='
  crowd: { pids_limit: 4, type: simple, restart: "no", command: "actor fork 10 [ wait ] wait" }
  hog: { mem_limit: 16m, restart: "no", command: "dd if=/dev/zero of=/dev/null bs=64M count=1" }
  slow: { pids_limit: 20, mem_limit: 1g, cpus: 0.25, command: "actor say /tmp/ready ready wait" }
  plain: { command: "actor wait" }'
all="supervisor: { exit_when: never }
services:$services"

check() { # check GROUP: the limits of all are in force
    timeout 60 fosterctl wait --for=failed crowd hog >/dev/null
    is $? 0
    is "$(grep -c 'pids_limit 4 reached' /tmp/said)" 1
    is "$(grep -c 'hog: error: failed: killed by SIGKILL (out of memory, limit 16.0M)' /tmp/said)" 1
    is "$(limits slow)" enforced
    is "$(value "$1" slow/pids.max) $(value "$1" slow/memory.max)" '20 1073741824'
    is "$(value "$1" slow/cpu.max)" '25000 100000'
}
begin 'in the topmost group' "$all" "$top"
check "$top"
finish "$top"

mkdir "$top/own"
begin 'alone in a group' "$all" "$top/own"
check "$top/own"
is "$(cat "$top/own/cgroup.procs")" ''
finish "$top/own"
is "$(cat "$top/own/cgroup.subtree_control")" ''

sleep 1000 &
other=$!
echo $other >"$top/own/cgroup.procs"
begin 'with another in its group' "$all" "$top/own"
is "$(limits slow)" unenforced
is "$(grep -c 'slow: warning: its limits are not enforced: /sys/fs/cgroup/own has 2 processes' /tmp/said)" 1
is "$(cat "$top/own/cgroup.type")" domain
kill $other
wait $other
finish "$top/own"

chown -R 1000 "$top/own"
export FOSTER_RUNTIME_DIR=/tmp/run
begin 'as a user' "$all" "$top/own" 'exec su user -c "umask 077; mkdir -p /tmp/run; exec fosterd -c /tmp/foster.yaml"'
check "$top/own"
finish "$top/own"
unset FOSTER_RUNTIME_DIR

stubborn='supervisor: { exit_when: never, cgroup: /sys/fs/cgroup/own }
services: { web: { stop_grace_period: 0s, command: "actor ignore TERM say /tmp/ready ready wait" } }'
begin 'killed' "$stubborn" "$top"
kill -9 "$fosterd"
wait "$fosterd"
echo 1 >"$top/own/foster-$fosterd/web/cgroup.kill"
begin 'one is killed, and another one is told of its group' "$stubborn" "$top"
finish "$top/own"
rmdir "$top/own"

cat >/tmp/pid1.yaml <<Y
supervisor: { exit_when: never }
services:
  slow: { pids_limit: 20, mem_limit: 1g, cpus: 0.25, command: "actor wait" }
  judge:
    type: oneshot
    command: >-
      sh -c "fosterctl ps --wide | grep -q 'slow .*enforced' && cat $top/foster-1/slow/pids.max | grep -qx 20
      && [ $status = 0 ] && echo && echo EVERYTHING IS AS IT SHOULD BE >/dev/console; poweroff -f"
    depends_on: [slow]
Y
exec fosterd -c /tmp/pid1.yaml
