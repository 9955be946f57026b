#!/bin/sh
# SPDX-License-Identifier: MIT
# Copyright The Foster authors
#
# The rules of the architecture, checked on the source tree and the built libraries.
#
#   arch.sh CHECK ROOT [ARGUMENT]...
#
#   includes ROOT          which floor may include what
#   symbols ROOT NM CORE BASE...   what the core library (and base, but for its log) may call
#   link ROOT CC CORE BASE what needs the kernel floor does not link with the core
#   sizes ROOT             files and functions: a report, and the hard limit of a file, tests included
#   headers ROOT CC INCLUDE...     each header compiles alone
#   docstrings ROOT        each public function and structure is described
#   spdx ROOT              licence lines
#   words ROOT             nothing unfinished, no place of somebody's machine
#   guide ROOT             doc/architecture.md names every source file, and no other; links lead somewhere; the
#                          tests and the cases that doc/reliability.md names are there
#   options ROOT           every option and variable of init mode is in the manual, doc/init-mode.md and README.md
#
# Violations are printed, one a line; exit status 1 when there was any, 2 when the check could not be made.
set -eu

check=$1
root=$2
shift 2
scratch=$(mktemp -d "${TMPDIR:-/tmp}/foster-arch.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
cd "$root"

# Sources that the project writes itself, in every language; stored inputs of tests are not ours to judge.
tree() {
    find . \( -path ./build -o -path ./.git -o -path ./tests/fuzz/corpus -o -path ./tests/golden -o -path ./.cache \) \
        -prune -o -type f -print | sed 's,^\./,,' | sort
}
c_files() { tree | grep -E '^(src|include)/.*\.[ch]$' || :; }

violations() { # violations FILE: print and judge
    if [ -s "$1" ]; then
        cat "$1"
        exit 1
    fi
    exit 0
}

check_includes() {
    # shellcheck disable=SC2016 # the dollars are awk's
    c_files | xargs awk '
        /^[ \t]*#[ \t]*include[ \t]*[<"]/ && match($0, /[<"][^>"]*[>"]/) {
            split(FILENAME, part, "/")
            print part[2], FILENAME, substr($0, RSTART, RLENGTH)
        }' | while read -r floor file name; do
        allowed=no
        case $floor:$name in
        base:\"base/*\") allowed=yes ;;
        base:\<ev.h\> | base:\<yaml.h\>) ;;
        base:\<*) allowed=yes ;;
        core:\"base/*\" | core:\"core/*\") allowed=yes ;;
        core:\<yaml.h\>) case $file in src/core/tree*.c) allowed=yes ;; esac ;;
        core:\<jansson.h\>) case $file in */core/proto.[ch] | */core/snapshot*.[ch]) allowed=yes ;; esac ;;
        core:\<regex.h\>) case $file in src/core/probe_keys.c) allowed=yes ;; esac ;;
        core:\<arpa/inet.h\>) case $file in src/core/endpoint.c) allowed=yes ;; esac ;;
        core:\<fnmatch.h\>) case $file in src/core/select.c) allowed=yes ;; esac ;;
        # The C library's pure part, the names of POSIX types and of limits, the macros that read a wait status.
        core:\<assert.h\> | core:\<ctype.h\> | core:\<errno.h\> | core:\<float.h\> | core:\<inttypes.h\> | \
            core:\<limits.h\> | core:\<math.h\> | core:\<signal.h\> | core:\<stdalign.h\> | \
            core:\<stdarg.h\> | core:\<stdatomic.h\> | core:\<stdbool.h\> | core:\<stddef.h\> | core:\<stdint.h\> | \
            core:\<stdio.h\> | core:\<stdlib.h\> | core:\<string.h\> | core:\<strings.h\> | core:\<sys/resource.h\> | core:\<sys/types.h\> | \
            core:\<sys/wait.h\>) allowed=yes ;;
        sys:\"base/*\" | sys:\"sys/*\") allowed=yes ;;
        sys:\<ev.h\> | sys:\<yaml.h\>) ;;
        sys:\<*) allowed=yes ;;
        # What a client shares with fosterd is the protocol, and nothing else of it.
        foster:\<std*.h\>) allowed=yes ;;
        client:\<ev.h\> | client:\<yaml.h\> | ctl:\<ev.h\> | ctl:\<yaml.h\>) ;;
        client:\"base/*\" | client:\"client/*\" | client:\"foster/*\" | client:\"core/proto.h\" | client:\<*) allowed=yes ;;
        ctl:\"base/*\" | ctl:\"ctl/*\" | ctl:\"foster/*\" | ctl:\"client/call.h\" | ctl:\"core/proto.h\" | ctl:\<*) allowed=yes ;;
        daemon:\<yaml.h\> | logger:\<yaml.h\>) ;;
        logger:\"base/*\" | logger:\"core/*\" | logger:\"sys/*\" | logger:\"logger/*\" | logger:\<*) allowed=yes ;;
        daemon:\"base/*\" | daemon:\"core/*\" | daemon:\"sys/*\" | daemon:\"logger/*\" | daemon:\"daemon/*\" | daemon:\<*) allowed=yes ;;
        esac
        # Private tables beside their user: "options.def".
        case $file:$name in
        src/*:\"*/*\") ;;
        src/*:\"*.def\" | src/*:\"*.h\")
            stem=${name#\"}
            if [ -e "${file%/*}/${stem%\"}" ]; then allowed=yes; fi
            ;;
        include/*:\"*/*.def\") ;;
        esac
        if [ $allowed = no ]; then echo "$file: the floor '$floor' may not include $name"; fi
    done >"$scratch/out"
    violations "$scratch/out"
}

# The functions that ask the kernel, the clock or the environment, or that say something, as nm prints them
# without the marks of fortification and of large files. (abort is not among them: test builds end so at a bug.)
forbidden='fork|vfork|clone|clone3|posix_spawn|posix_spawnp|execv|execve|execvp|execvpe|execl|execlp|execle|fexecve|system|popen|pclose'
forbidden="$forbidden|kill|killpg|raise|sigaction|signal|sigprocmask|wait|waitpid|waitid|wait3|wait4"
forbidden="$forbidden|open|openat|creat|close|read|pread|readv|write|pwrite|writev|lseek|fcntl|ioctl|stat|fstat|lstat|fstatat"
forbidden="$forbidden|fopen|fdopen|freopen|fread|fwrite|fgets|fgetc|getline|printf|vprintf|fprintf|vfprintf|puts|fputs|putchar"
forbidden="$forbidden|perror|opendir|readdir|glob|unlink|rename|mkdir|chdir|getcwd|realpath|access"
forbidden="$forbidden|socket|bind|listen|accept|accept4|connect|send|sendto|sendmsg|recv|recvfrom|recvmsg|pipe|pipe2|dup|dup2|dup3"
forbidden="$forbidden|poll|ppoll|select|pselect|epoll_.*|eventfd|signalfd|timerfd_.*|nanosleep|clock_nanosleep|sleep|usleep|alarm"
forbidden="$forbidden|time|clock|clock_gettime|gettimeofday|localtime.*|gmtime.*|strftime|mktime"
forbidden="$forbidden|getenv|secure_getenv|setenv|putenv|unsetenv|environ|getpid|getppid|getuid|geteuid|getpw.*|getgr.*"
forbidden="$forbidden|rand|srand|random|srandom|rand_r|drand48|getrandom|getentropy|setlocale|syslog|exit|_exit|_Exit"
forbidden="$forbidden|prctl|syscall|prlimit|setrlimit|getrlimit|mmap|munmap|pthread_.*|ev_.*|sys_.*"

undefined_symbols() { # undefined_symbols NM LIBRARY: "member symbol" lines
    "$1" -A -u "$2" | awk '{ member = $1; sub(/:$/, "", member); sub(/.*[:\/]/, "", member); print member, $NF }' |
        sed 's/@.*//; s/ __isoc99_/ /; s/ __\([a-z0-9_]*\)_chk$/ \1/; s/ __\(open\|openat\|read\)\(64\)\?_2$/ \1/; s/\([a-z]\)64$/\1/'
}

check_symbols() {
    nm=$1
    core=$2
    base=$3
    # The core hands out reports and never writes one; log_bug, behind BUG_IF(), is the one exception.
    undefined_symbols "$nm" "$core" | grep -E " ($forbidden|log_write|log_vwrite|log_setup|malloc|calloc|realloc|free|strdup)\$" |
        sed 's/\([^ ]*\) \(.*\)/\1: the core may not call \2/' >"$scratch/out" || :
    # Base knows of no system call either, but for the log that writes.
    undefined_symbols "$nm" "$base" | grep -vE '^log(_line)?\.c\.o' | grep -E " ($forbidden)\$" | grep -v ' exit$' |
        sed 's/\([^ ]*\) \(.*\)/\1: base may not call \2/' >>"$scratch/out" || :
    violations "$scratch/out"
}

check_link() {
    cc=$1
    core=$2
    base=$3
    shift 3
    printf '#include "core/diag.h"\nint main(void)\n{\n    struct diag_list d = {.n = 0};\n    diag_sort(&d);\n    return 0;\n}\n' \
        >"$scratch/good.c"
    printf '#include "sys/sys.h"\nint main(void)\n{\n    return sys_getpid() == 0;\n}\n' >"$scratch/bad.c"
    if ! "$cc" -D_GNU_SOURCE "$@" -o "$scratch/good" "$scratch/good.c" "$core" "$base" -lyaml -ljansson -lm >"$scratch/log" 2>&1; then
        cat "$scratch/log"
        echo "a program that uses the core alone does not link with core and base"
        exit 1
    fi
    if "$cc" -D_GNU_SOURCE "$@" -o "$scratch/bad" "$scratch/bad.c" "$core" "$base" -lyaml -ljansson -lm >"$scratch/log" 2>&1; then
        echo "a program that uses the kernel floor links with core and base"
        exit 1
    fi
    if ! grep -q sys_getpid "$scratch/log"; then
        cat "$scratch/log"
        echo "the program that uses the kernel floor failed for another reason"
        exit 2
    fi
}

# Prints "lines file function" for each function: from its name to the brace in the first column.
functions() {
    awk '
        FNR == 1 { name = ""; start = 0; inside = 0 }
        !inside && /^[A-Za-z_].*\(/ && !/;[ \t]*$/ && !/^#/ {
            start = FNR
            name = $0
            sub(/\(.*/, "", name)
            sub(/.*[ *]/, "", name)
        }
        !inside && /;[ \t]*$/ { start = 0 }
        /^{/ && start { inside = 1 }
        /^}/ && inside { print FNR - start + 1, FILENAME, name; inside = 0; start = 0 }
    ' "$@"
}

check_sizes() {
    sources=$(tree | grep -E '^src/.*\.c$' || :)
    [ -n "$sources" ] || { echo "no sources"; exit 2; }
    # Names of ours have no spaces.
    # shellcheck disable=SC2086
    wc -l $sources | grep -v ' total$' | sort -n >"$scratch/files"
    # shellcheck disable=SC2086
    functions $sources | sort -n >"$scratch/functions"
    for what in files functions; do
        awk -v what=$what '{ n[NR] = $1; sum += $1 } END {
            printf "%s: %d, %d lines, median %d, p90 %d, longest %s\n", what, NR, sum,
                n[int((NR + 1) / 2)], n[int((NR * 9 + 9) / 10)], $0 }' "$scratch/$what"
    done
    awk '$1 > 70 { printf "long function: %s %s, %d lines (aim: 70)\n", $2, $3, $1 }' "$scratch/functions"
    tree | grep -E '^include/.*\.h$' | xargs wc -l | grep -v ' total$' |
        awk '$1 > 200 { printf "long header: %s, %d lines\n", $2, $1 }'
    tree | grep -E '^(tests|tools)/.*\.[ch]$' | xargs -r wc -l | grep -v ' total$' >>"$scratch/files" || :
    awk '$1 > 600 { printf "%s: %d lines, the limit is 600\n", $2, $1 }' "$scratch/files" >"$scratch/out"
    violations "$scratch/out"
}

check_headers() {
    cc=$1
    shift
    tree | grep -E '^include/.*\.h$' | while read -r header; do
        printf '#include "%s"\n#include "%s"\n' "${header#include/}" "${header#include/}" >"$scratch/alone.c"
        if ! "$cc" -std=c17 -D_GNU_SOURCE -Wall -Wextra -Werror -fsyntax-only -Iinclude "$@" "$scratch/alone.c" 2>"$scratch/log"; then
            echo "$header does not compile alone:"
            sed 's/^/    /' "$scratch/log" | head -n 5
        fi
    done >"$scratch/out"
    violations "$scratch/out"
}

# A description is a comment that begins with "/**" and ends directly above; functions that follow each
# other without an empty line share one.
check_docstrings() {
    # What the files behind one header share among themselves (*_impl.h) is not public.
    # shellcheck disable=SC2016 # the dollars are awk's
    tree | grep -E '^include/.*\.h$' | grep -v '_impl\.h$' | xargs awk '
        FNR == 1 { described = 0; in_doc = 0; in_body = 0; continued = 0; in_macro = 0 }
        in_macro { in_macro = /\\$/; described = 0; next }
        /^#/ { in_macro = /\\$/; described = 0; next }
        /^\/\*\*/ { in_doc = 1 }
        in_doc { if (/\*\//) { in_doc = 0; described = 1 } next }
        /^$/ { described = 0; continued = 0; next }
        in_body { if (/^}/) { in_body = 0; described = 0 } next }
        continued { continued = !/;[ \t]*(\/\*.*)?$/; next }
        /^struct [a-z_0-9]+ \{/ {
            if (!described) print FILENAME ":" FNR ": not described: " $1 " " $2
            in_body = !/\};/
            next
        }
        /^(enum|union)( [a-z_0-9]+)? \{/ { in_body = !/\};/; next }
        /^(static inline )?[a-z_].*[a-z_0-9]\(/ && !/^(typedef|extern "C")/ {
            name = $0
            sub(/\(.*/, "", name)
            sub(/.*[ *]/, "", name)
            if (!described) print FILENAME ":" FNR ": not described: " name "()"
            if (/^static inline/) in_body = 1
            else continued = !/;[ \t]*(\/\*.*)?$/
        }
    ' >"$scratch/out"
    violations "$scratch/out"
}

check_spdx() {
    # shellcheck disable=SC2016 # the dollars are awk's
    tree | grep -E '\.(c|h|def|in|sh|awk|cmake|yaml|scd|supp)$|(^|/)CMakeLists\.txt$|^dev$|^\.ci/run$|Dockerfile$|^\.clang-' |
        grep -vE '^tests/.*\.yaml$' | xargs awk '
        function judge() {
            if (name == "") return
            if (!licence) print name ": no line SPDX-License-Identifier: MIT"
            if (name ~ /\.(c|h|def)$/ && !copyright) print name ": no copyright line"
        }
        FNR == 1 { judge(); name = FILENAME; licence = 0; copyright = 0 }
        FNR > 6 { next }
        /SPDX-License-Identifier: MIT/ { licence = 1 }
        /Copyright The Foster authors/ { copyright = 1 }
        END { judge() }
    ' >"$scratch/out"
    violations "$scratch/out"
}

check_words() {
    # The brackets keep this file from finding itself.
    unfinished='\<TOD[O]\>|\<FIXM[E]\>|\<XX[X]\>|\<HAC[K]:'
    foreign='(^|[^A-Za-z0-9_.$}/-])/(wor[k]|hom[e]|User[s]|roo[t])/[A-Za-z0-9_.]'
    tracker='\<[Ii]ssu[e] #?[0-9]+|\<[Bb]u[g] #[0-9]+'
    tree | grep -vE '\.(png|ico|gz)$' | xargs grep -nE "$unfinished|$foreign|$tracker" /dev/null >"$scratch/out" || :
    violations "$scratch/out"
}

check_guide() {
    guide=doc/architecture.md
    [ -e "$guide" ] || { echo "no $guide"; exit 2; }
    # shellcheck disable=SC2016 # the backticks are Markdown
    grep -oE '`[a-z]+/[a-z_0-9/.-]+`' "$guide" | tr -d '`' | sort -u >"$scratch/named"
    {
        tree | grep -E '^(src/.*\.c|include/.*\.def)$' | sed 's,^src/,,; s,^include/,,' | grep -vxFf "$scratch/named" |
            sed "s,^,$guide does not name ,"
        grep -E '^(base|core|sys|logger|daemon|client|ctl)/[a-z_0-9]+\.(c|h|def)$' "$scratch/named" | while read -r file; do
            if [ ! -e "src/$file" ] && [ ! -e "include/$file" ]; then echo "$guide names $file, which is not there"; fi
        done
        # What the documents link to within the tree has to be there.
        grep -soE '\]\([^):]+\)' /dev/null README.md CHANGELOG.md doc/*.md | sed 's/:](/ /; s/)$//; s/#.*//' | sort -u |
            while read -r page link; do
                case $page in */*) dir=${page%/*} ;; *) dir=. ;; esac
                if [ -n "$link" ] && [ ! -e "$dir/$link" ]; then echo "$page links to $link, which is not there"; fi
            done
        guide_tests
    } >"$scratch/out"
    violations "$scratch/out"
}

# A promise names what shows it as `FILE CASE...`: FILE is below tests/ and less its "_test.c", each CASE a word in it.
guide_tests() {
    page=doc/reliability.md
    [ -e "$page" ] || return 0
    : >"$scratch/cases"
    # shellcheck disable=SC2016 # the backticks are Markdown
    sed -n 's/^|.*|\([^|]*\)|$/\1/p' "$page" | grep -oE '`[^`]+`' | tr -d '`' | sort -u | while read -r name cases; do
        file=tests/${name}_test.c
        if [ ! -e "$file" ]; then file=tests/$name; fi
        if [ ! -f "$file" ]; then
            echo "$page names the test $name, which is not there"
            continue
        fi
        for case in $cases; do echo "$file $case"; done >>"$scratch/cases"
    done
    # shellcheck disable=SC2016 # the dollars are awk's
    cut -d ' ' -f 1 "$scratch/cases" | sort -u | xargs awk -v page="$page" '
        NR == FNR { want[$1, $2]; next }
        { n = split($0, word, /[^A-Za-z0-9_]+/); for (i = 1; i <= n; i++) delete want[FILENAME, word[i]] }
        END { for (w in want) { split(w, at, SUBSEP); print page " names the case " at[2] ", which " at[1] " has not" } }
    ' "$scratch/cases"
}

# A row is OPTION(personas, 'letter' or 0, "word" or NULL, ... or VARIABLE(personas, "name", ...; what a page has to
# say of it is the name alone, set as that page sets what is typed.
check_options() {
    table=include/daemon/persona.def
    [ -e "$table" ] || { echo "no $table"; exit 2; }
    {
        sed -n "s/^OPTION([^,]*, *'\\(.\\)'.*/-\\1/p" "$table"
        sed -n 's/^OPTION([^,]*,[^,]*, *"\([^"]*\)".*/--\1/p; s/^VARIABLE([^,]*, *"\([^"]*\)".*/\1/p' "$table"
    } | sort -u >"$scratch/names"
    for kind in '^-[^-]' '^--' '^[A-Z]'; do
        grep -qe "$kind" "$scratch/names" || { echo "$table: no row gives a name like $kind"; exit 2; }
    done
    while read -r name; do
        if ! grep -qF -e "*$name*" doc/fosterd.8.scd; then echo "doc/fosterd.8.scd does not name $name"; fi
        if ! grep -qF -e "\`$name\`" doc/init-mode.md; then echo "doc/init-mode.md does not name $name"; fi
        case $name in
        FOSTER_INIT_*) if ! grep -qF -e "| \`$name\` |" README.md; then echo "README.md has no row of $name"; fi ;;
        esac
    done <"$scratch/names" >"$scratch/out"
    violations "$scratch/out"
}

case $check in
includes | symbols | link | sizes | headers | docstrings | spdx | words | guide | options) "check_$check" "$@" ;;
*)
    echo "no such check: $check" >&2
    exit 2
    ;;
esac
