#!/bin/sh
# SPDX-License-Identifier: MIT
# Copyright The Foster authors
#
# Shows that each check of arch.sh passes a clean tree and fails one with a planted violation, that the tally
# counts what it should, and that the developer's command leaves nothing behind: a check that cannot fail checks nothing.
#
#   selftest.sh SOURCE-DIR CC NM AR
set -eu

source=$1
cc=$2
nm=$3
ar=$4
scratch=$(mktemp -d "${TMPDIR:-/tmp}/foster-arch-self.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
status=0
made=0

# A small tree that keeps every rule.
make_clean_tree() {
    mkdir -p "$t/src/base" "$t/src/core" "$t/src/sys" "$t/include/base" "$t/include/core" "$t/include/daemon" \
        "$t/include/sys" "$t/doc" "$t/src/client" "$t/src/ctl" "$t/src/daemon" "$t/include/client" "$t/include/foster"
    head='/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 */'
    cat >"$t/include/core/diag.h" <<END
$head
#ifndef DIAG_H
#define DIAG_H
/** Problems. */
struct diag_list {
    int n;
};

/** Orders them. */
void diag_sort(struct diag_list *d);
#endif
END
    cat >"$t/src/core/diag.c" <<END
$head
#include "core/diag.h"
#include <stddef.h>

void diag_sort(struct diag_list *d)
{
    d->n = 0;
}
END
    cat >"$t/include/sys/sys.h" <<END
$head
#ifndef SYS_H
#define SYS_H
/** Our process id. */
int sys_getpid(void);
#endif
END
    cat >"$t/src/base/log.c" <<END
$head
#include <unistd.h>
void log_line(void);

void log_line(void)
{
    if (write(2, "", 0) < 0)
        return;
}
END
    cat >"$t/include/daemon/persona.def" <<END
$head
OPTION(IN_ALL, 'w', NULL, NULL, set_warn, "help")
OPTION(IN_ALL, 0, "grace", "DUR", set_grace, "help")
VARIABLE(IN_ALL, "FOSTER_INIT_GRACE", INITARGS_OURS, set_grace, "help")
END
    printf '; SPDX-License-Identifier: MIT\n*-w* *--grace* *FOSTER_INIT_GRACE*\n' >"$t/doc/fosterd.8.scd"
    # shellcheck disable=SC2016 # the backticks are Markdown
    {
        printf 'Files: `core/diag.c`, `base/log.c`, `daemon/persona.def`.\n' >"$t/doc/architecture.md"
        printf '`-w` `--grace` `FOSTER_INIT_GRACE`\n' >"$t/doc/init-mode.md"
        printf '| `FOSTER_INIT_GRACE` | how long |\n' >"$t/README.md"
    }
}

t=$scratch/clean
make_clean_tree
t=$scratch/tree
plant() {
    rm -rf "$t"
    cp -R "$scratch/clean" "$t"
}

libraries() {
    for floor in core base; do
        rm -f "$t/lib$floor.a"
        for file in "$t/src/$floor"/*.c; do
            object=$t/$(basename "$file").o
            "$cc" -D_GNU_SOURCE -I"$t/include" -c "$file" -o "$object"
            "$ar" rc "$t/lib$floor.a" "$object"
        done
    done
}

run() { # run CHECK: arch.sh on the planted tree
    case $1 in
    symbols)
        libraries
        "$source/tests/arch/arch.sh" symbols "$t" "$nm" "$t/libcore.a" "$t/libbase.a"
        ;;
    link)
        libraries
        "$source/tests/arch/arch.sh" link "$t" "$cc" "$t/libcore.a" "$t/libbase.a" -I"$t/include"
        ;;
    headers) "$source/tests/arch/arch.sh" headers "$t" "$cc" ;;
    *) "$source/tests/arch/arch.sh" "$1" "$t" ;;
    esac >"$scratch/said" 2>&1
}

expect() { # expect PASS|FAIL CHECK WHAT: run it and compare
    made=$((made + 1))
    result=0
    run "$2" || result=$?
    case $1:$result in
    pass:0 | fail:1) ;;
    *)
        echo "$2, $3: expected to $1, exit status was $result; it said:"
        sed 's/^/    /' "$scratch/said"
        status=1
        ;;
    esac
}

for check in includes symbols link sizes headers docstrings spdx words guide options; do
    plant
    expect pass $check 'clean tree'
done

violate() { # violate CHECK WHAT FILE TEXT: append TEXT to FILE of a clean tree, and the check must fail
    plant
    printf '%b\n' "$4" >>"$t/$3"
    expect fail "$1" "$2"
}

violate includes 'core includes a kernel header' src/core/diag.c '#include <unistd.h>'
violate includes 'core includes the kernel floor' src/core/diag.c '#include "sys/sys.h"'
violate includes 'core includes the loop' include/core/diag.h '#include <ev.h>'
violate includes 'core reads YAML outside the tree' src/core/diag.c '#  include <yaml.h>'
violate includes 'core reads JSON outside protocol and snapshot' src/core/diag.c '#include <jansson.h>'
violate includes 'core matches globs outside select' include/core/diag.h '#include <fnmatch.h>'
violate includes 'the daemon includes the client' src/daemon/x.c '#include "client/wire.h"'
violate includes 'the client includes the kernel floor' src/client/x.c '#include "sys/sys.h"'
violate includes 'the client includes core' include/client/x.h '#include "core/diag.h"'
violate includes 'the client includes the loop' src/client/x.c '#include <ev.h>'
violate includes 'the command reads YAML' src/ctl/x.c '#include <yaml.h>'
violate includes 'the command includes what is behind the library' src/ctl/x.c '#include "client/wire.h"'
violate includes 'the library asks for more than C' include/foster/x.h '#include <jansson.h>'
plant
printf '#include <jansson.h>\n' | tee "$t/src/core/snapshot.c" >"$t/include/core/proto.h"
printf '#include <fnmatch.h>\n' >"$t/src/core/select.c"
printf '#include <stdint.h>\n' >"$t/include/foster/foster.h"
printf '#include "foster/foster.h"\n#include "core/proto.h"\n#include "base/log.h"\n#include <jansson.h>\n' |
    tee "$t/src/client/x.c" >"$t/src/ctl/x.c"
expect pass includes 'what core, client and command may include'
violate includes 'base includes core' src/base/log.c '#include "core/diag.h"'
violate includes 'sys includes core' include/sys/sys.h '#include "core/diag.h"'
violate symbols 'core asks for its pid' src/core/diag.c '#include <unistd.h>\nint f(void);\nint f(void) { return getpid(); }'
violate symbols 'core opens a file' src/core/diag.c '#include <fcntl.h>\nint f(void);\nint f(void) { return open("/", 0); }'
violate symbols 'core reads the clock' src/core/diag.c '#include <time.h>\nlong f(void);\nlong f(void) { return (long)time(NULL); }'
violate symbols 'core logs' src/core/diag.c 'void log_write(void);\nvoid f(void);\nvoid f(void) { log_write(); }'
violate symbols 'core calls the kernel floor' src/core/diag.c '#include "sys/sys.h"\nint f(void);\nint f(void) { return sys_getpid(); }'
plant
sed 's/log_line/buf_line/' "$t/src/base/log.c" >"$t/src/base/buf.c"
expect fail symbols 'base writes outside the log'
violate link 'the core defines what the kernel floor should' src/core/diag.c '#include "sys/sys.h"\nint sys_getpid(void) { return 1; }'
plant
sed 's/^.*sys_getpid.*$/int sys_getpid(void);/' "$t/include/sys/sys.h" >"$t/x" && mv "$t/x" "$t/include/sys/sys.h"
sed 's/sort/gone/' "$t/src/core/diag.c" >"$t/x" && mv "$t/x" "$t/src/core/diag.c"
sed 's/diag_list \*d);/diag_list *d);\n\/** . *\/\nvoid diag_gone(struct diag_list *d);/' "$t/include/core/diag.h" >"$t/x" &&
    mv "$t/x" "$t/include/core/diag.h"
expect fail link 'the core does not define what it declares'
plant
i=0
while [ $i -lt 600 ]; do
    echo "/* line $i */"
    i=$((i + 1))
done >>"$t/src/core/diag.c"
expect fail sizes 'a file of more than 600 lines'
mkdir -p "$t/tests/unit"
mv "$t/src/core/diag.c" "$t/tests/unit/diag_test.c"
sed 3q "$t/tests/unit/diag_test.c" >"$t/src/core/diag.c"
expect fail sizes 'a test of more than 600 lines'
violate headers 'a header that needs another' include/core/diag.h 'size_t diag_count(void);'
violate docstrings 'an undescribed function' include/core/diag.h '\nint diag_count(void);'
violate docstrings 'an undescribed structure' include/core/diag.h '\nstruct other {\n    int n;\n};'
violate docstrings 'an undescribed function over two lines' include/core/diag.h '\nint diag_count(int a,\n    int b);'
violate words 'unfinished work' src/core/diag.c '/* TO''DO: more */'
violate words "somebody's directory" doc/architecture.md 'see /hom''e/someone/notes'
violate words 'a tracker' doc/architecture.md 'see iss''ue 12'
violate guide 'the guide names a file that is gone' doc/architecture.md "\`core/gone.c\`"
violate guide 'a link to nowhere' doc/architecture.md 'see [there](gone.md)'
violate options 'an undocumented letter' include/daemon/persona.def "OPTION(IN_TINI, 'x', NULL, NULL, set_x, \"help\")"
violate options 'an undocumented word' include/daemon/persona.def 'OPTION(IN_TINI, 0, "gra", NULL, set_x, "help")'
violate options 'an undocumented variable' include/daemon/persona.def 'VARIABLE(IN_TINI, "TINI_X", INITARGS_PRESENT, set_x, "help")'
for page in doc/fosterd.8.scd doc/init-mode.md README.md; do
    plant
    sed 's/FOSTER_INIT_GRACE/FOSTER_INIT_GRAC/' "$t/$page" >"$t/x" && mv "$t/x" "$t/$page"
    expect fail options "$page lacks a variable"
done
promise() { # promise PASS|FAIL WHAT TEXT: a page of promises that names TEXT
    plant
    mkdir -p "$t/tests/unit"
    echo 'static void a_case_that_is(void)' >"$t/tests/unit/diag_test.c"
    # shellcheck disable=SC2016 # the backticks are Markdown
    printf '| promise | how | shown by |\n|---|---|---|\n| It holds. | by `magic gone` | %s |\n' "$3" >"$t/doc/reliability.md"
    expect "$1" guide "$2"
}
# shellcheck disable=SC2016 # the backticks are Markdown
{
    promise pass 'a promise with its test and case' '`unit/diag a_case_that_is`'
    promise fail 'a promise whose test is gone' '`unit/diag a_case_that_is`, `unit/gone`'
    promise fail 'a promise whose case is gone' '`unit/diag a_case_that`'
}
plant
cp "$t/src/core/diag.c" "$t/src/core/new.c"
expect fail guide 'a file that the guide does not name'
plant
sed 1d "$t/src/core/diag.c" >"$t/src/core/new.c"
expect fail spdx 'a file without a licence line'

# The long function is a warning, but it must be said.
plant
{
    printf 'void long_one(void);\nvoid long_one(void)\n{\n'
    i=0
    while [ $i -lt 80 ]; do
        echo '    ;'
        i=$((i + 1))
    done
    echo '}'
} >>"$t/src/core/diag.c"
run sizes || status=1
made=$((made + 1))
if ! grep -q 'long function: src/core/diag.c long_one, 83 lines' "$scratch/said"; then
    echo 'a function of 83 lines was not reported:'
    cat "$scratch/said"
    status=1
fi

# The tally: each line is one program's outcome, its output, and what has to come out.
tally() { # tally EXPECTED OUTCOME OUTPUT
    made=$((made + 1))
    printf '1/1 Test #1: prog ....%s    0.01 sec\n' "$2" >"$scratch/ctest"
    printf '1/1 Testing: prog\nOutput:\n-----\n%b<end of output>\n-----\nTest Passed.\n' "$3" >"$scratch/log"
    awk -f "$source/tests/tally.awk" "$scratch/ctest" "$scratch/log" >"$scratch/said" || :
    if [ "$(tail -n 1 "$scratch/said")" != "$1" ]; then
        echo "tally of '$2' and '$3': expected '$1', got:"
        cat "$scratch/said"
        status=1
    fi
}
run1='[==========] Running 1 test(s).\n[ RUN      ] a\n'
tally '1 passed, 0 failed' '   Passed' 'any words\n'
tally '0 passed, 1 failed' '***Failed' 'any words\n'
tally '0 passed, 1 failed' '***Timeout' ''
tally '0 passed, 0 failed, 1 skipped' '***Skipped' 'no root\n'
tally '1 passed, 0 failed' '   Passed' "${run1}[       OK ] a\n"
tally '1 passed, 0 failed' '   Passed' "${run1}half a line[       OK ] a\n"
tally '0 passed, 1 failed' '***Failed' "${run1}[  FAILED  ] a\n[  FAILED  ] 1 test(s), listed below:\n[  FAILED  ] a\n"
tally '0 passed, 0 failed, 1 skipped' '   Passed' "${run1}needs root\n[  SKIPPED ] a\n[  SKIPPED ] 1 test(s), listed below:\n[  SKIPPED ] a\n"
tally '0 passed, 1 failed' 'Subprocess aborted***Exception:' "$run1"
tally '1 passed, 1 failed' '***Failed' "${run1}[       OK ] a\n==1==ERROR: LeakSanitizer\n"
tally '1 passed, 1 failed' '   Passed' '[==========] Running 2 test(s).\n[ RUN      ] a\n[       OK ] a\n'

# The developer's command, with tools and a fosterd that do nothing.
dev() { # dev PASS|FAIL WHAT TMPDIR: run "dev run" there; nothing of it may be left
    made=$((made + 1))
    result=0
    PATH=$d/bin:$PATH CC=cc TMPDIR=$3 sh "$d/dev" run >"$scratch/said" 2>&1 || result=$?
    case $1:$result in pass:0 | fail:1) left= ;; *) left="exit status $result" ;; esac
    if [ "$1" = fail ] && ! grep -q '^dev: cannot write to ' "$scratch/said"; then left="$left, no clear word"; fi
    left="$left$(find "$d" -name 'foster-dev.*')"
    if [ -n "$left" ]; then
        echo "dev run, $2: $left; it said:"
        sed 's/^/    /' "$scratch/said"
        status=1
    fi
}
d=$scratch/project
mkdir -p "$d/bin" "$d/tmp" "$d/build/release"
cp "$source/dev" "$d/dev"
for tool in cc cmake ninja pkg-config; do printf '#!/bin/sh\nexit 0\n' >"$d/bin/$tool"; done
printf '#!/bin/sh\nexit 1\n' >"$d/bin/ccache"
cp "$d/bin/cc" "$d/build/release/fosterd"
chmod +x "$d"/bin/* "$d/build/release/fosterd"
dev pass 'a place for temporary files' "$d/tmp"
dev pass 'no place for temporary files but build' "$d/nowhere"
rm -rf "$d/build"
: >"$d/build"
dev fail 'no place for temporary files at all' "$d/nowhere"

echo "$made self-tests made"
exit $status
