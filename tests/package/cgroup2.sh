#!/bin/sh
# SPDX-License-Identifier: MIT
# Copyright The Foster authors
#
# Limits where there are control groups of version 2 alone: a virtual machine with a Linux kernel and, in memory, the
# self-contained programs and busybox. What it does is in cgroup2_guest.sh.
#
#   cgroup2.sh FOSTERD FOSTERCTL ACTOR
#
# Opt-in, for it boots a machine: FOSTER_TEST_VM=1, with qemu-system-x86_64, a static busybox, and a kernel image, which
# FOSTER_TEST_KERNEL names where it is not in /boot.
set -eu

guard=240 # seconds; without hardware support the machine takes some 20

skip() {
    echo "SKIP: $*"
    exit 77
}
if [ "${FOSTER_TEST_VM:-}" != 1 ]; then skip 'opt-in: set FOSTER_TEST_VM=1'; fi
for program in qemu-system-x86_64 busybox timeout gzip; do
    command -v "$program" >/dev/null || skip "no $program here"
done
kernel=${FOSTER_TEST_KERNEL:-}
if [ -z "$kernel" ]; then
    for image in /boot/vmlinuz-*; do kernel=$image; done
fi
if [ ! -r "$kernel" ]; then skip "no kernel image $kernel; name one in FOSTER_TEST_KERNEL"; fi

scratch=$(mktemp -d "${TMPDIR:-/tmp}/foster-vm.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

root=$scratch/root
for dir in bin dev etc proc run sys tmp; do mkdir -p "$root/$dir"; done
chmod 1777 "$root/tmp"
cp "$1" "$2" "$3" "$(command -v busybox)" "$root/bin"
cp "$(dirname "$0")/cgroup2_guest.sh" "$root/init"
chmod 755 "$root" "$root/init"
printf 'root:x:0:0::/:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n' >"$root/etc/passwd"
(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$scratch/initramfs"

timeout $guard qemu-system-x86_64 -M q35 -cpu max -m 256 -nographic -no-reboot -nic none -kernel "$kernel" \
    -initrd "$scratch/initramfs" -append 'console=ttyS0 panic=-1 quiet' </dev/null >"$scratch/console" 2>&1 || :
if grep -q '^EVERYTHING IS AS IT SHOULD BE' "$scratch/console"; then exit 0; fi
tr -d '\r' <"$scratch/console"
exit 1
