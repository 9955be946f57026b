#!/bin/sh
# SPDX-License-Identifier: MIT
# Copyright The Foster authors
#
# libfoster installed into an empty place: what it exports, and a program that is built with pkg-config's words alone.
#
#   installed.sh CMAKE BUILD CC NM PKG_CONFIG LIBDIR [FLAG]...
set -eu

cmake=$1
build=$2
cc=$3
nm=$4
pkg_config=$5
libdir=$6
shift 6
here=$(cd "$(dirname "$0")" && pwd)
prefix=$(mktemp -d "${TMPDIR:-/tmp}/foster-installed.XXXXXX")
trap 'rm -rf "$prefix"' EXIT

fail() {
    echo "$*"
    exit 1
}

case $libdir in
/*)
    echo "SKIP: libraries are installed into $libdir, whatever the prefix"
    exit 77
    ;;
esac
if [ ! -w "$build" ]; then
    echo "SKIP: cmake --install writes its list into $build, which this user may not"
    exit 77
fi
"$cmake" --install "$build" --prefix "$prefix" --component libfoster >"$prefix/log" || { cat "$prefix/log"; exit 1; }
lib=$prefix/$libdir

sed -n 's/^FOSTER_API.*[ *]\(foster_[a-z_]*\)(.*/\1/p' "$prefix/include/foster/foster.h" | sort >"$prefix/promised"
[ -s "$prefix/promised" ] || fail "foster.h promises nothing"
"$nm" -D --defined-only "$lib/libfoster.so" | awk '{ print $NF }' | sed 's/@.*//' | grep -vE '^(_init|_fini|__.*)$' |
    sort >"$prefix/exported"
diff "$prefix/promised" "$prefix/exported" || fail "libfoster.so exports other names than foster.h promises"
[ "$(readlink "$lib/libfoster.so")" = libfoster.so.0 ] || fail "libfoster.so is no link to libfoster.so.0"

words() { # words [OPTION]...: what pkg-config says
    PKG_CONFIG_PATH=$lib/pkgconfig "$pkg_config" --define-variable=prefix="$prefix" "$@" foster
}

try() { # try PROGRAM: it has to find nobody, in its own words
    code=0
    said=$(LD_LIBRARY_PATH=$lib "$1" "$prefix/nobody.sock") || code=$?
    [ $code = 3 ] || fail "$1 ended with $code: $said"
    case $said in
    "nobody listens at $prefix/nobody.sock"*) ;;
    *) fail "$1 said: $said" ;;
    esac
}

# Without quotes: several words.
# shellcheck disable=SC2046
"$cc" -Wall -Wextra -Werror -o "$prefix/shared" "$here/user.c" "$@" $(words --cflags --libs)
try "$prefix/shared"

if [ -e "$lib/libfoster.a" ]; then
    "$nm" -g --defined-only "$lib/libfoster.a" | awk 'NF == 3 { print $3 }' | grep -vE '^__' | sort >"$prefix/exported"
    diff "$prefix/promised" "$prefix/exported" || fail "libfoster.a shows other names than foster.h promises"
    # shellcheck disable=SC2046
    "$cc" -o "$prefix/static" "$here/user.c" "$@" $(words --cflags) "$lib/libfoster.a" $("$pkg_config" --libs jansson)
    try "$prefix/static"
fi
