#!/bin/sh
# SPDX-License-Identifier: MIT
# Copyright The Foster authors
#
# Lets systemd's own checker read the unit and its drop-in, with every line of the strict block switched on too.
#
#   systemd.sh UNIT-DIR FOSTERD
set -eu

units=$1
daemon=$2
# RestartPreventExitStatus looks at the main process: what fails before that would be started again and again.
if grep -n '^ExecStartPre=' "$units/fosterd.service.in"; then
    echo "fosterd checks its file itself; a check before it hides its exit status from RestartPreventExitStatus"
    exit 1
fi
command -v systemd-analyze >/dev/null 2>&1 || { echo "systemd-analyze is not here"; exit 77; }
scratch=$(mktemp -d "${TMPDIR:-/tmp}/foster-unit.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/fosterd.service.d"
# That there is a program is all that is asked of fosterctl's place, and a self-contained build has none.
sed -e "s,@CMAKE_INSTALL_FULL_SBINDIR@/fosterd,$daemon," -e "s,@CMAKE_INSTALL_FULL_BINDIR@/fosterctl,$daemon," \
    "$units/fosterd.service.in" >"$scratch/fosterd.service"
sed 's/^#\([A-Z][A-Za-z]*=\)/\1/' "$units/hardening.conf" >"$scratch/fosterd.service.d/hardening.conf"
# It warns on stderr and still exits 0 on unknown keys, so silence is what is asked for.
systemd-analyze verify --man=no "$scratch/fosterd.service" >"$scratch/said" 2>&1 || echo "exit status $?" >>"$scratch/said"
# Under a checker without a running systemd, the host's own units may be complained about; ours are named.
if grep -E 'fosterd|exit status' "$scratch/said"; then exit 1; fi
