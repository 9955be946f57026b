#!/bin/sh
# SPDX-License-Identifier: MIT
# Copyright The Foster authors
#
# Every configuration that the project shows must be one that fosterd accepts, without a warning; the one
# inside the Kubernetes manifest and the ones in Markdown documents (```yaml blocks with services) too.
#
#   conf.sh SOURCE-DIR FOSTERD
set -eu

cd "$1"
daemon=$2
scratch=$(mktemp -d "${TMPDIR:-/tmp}/foster-conf.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
status=0
checked=0

check() { # check FILE WHAT
    checked=$((checked + 1))
    if ! "$daemon" --check -c "$1" >"$scratch/said" 2>&1 || grep -q 'warning' "$scratch/said"; then
        echo "$2 is not accepted:"
        sed 's/^/    /' "$scratch/said"
        status=1
    fi
}

for file in conf/*.yaml conf/examples/*.yaml; do
    case $file in
    */kubernetes.yaml)
        awk '/^  foster.yaml: \|$/ { on = 1; next } on && !/^    / && !/^$/ { on = 0 } on { print substr($0, 5) }' \
            "$file" >"$scratch/kubernetes.yaml"
        check "$scratch/kubernetes.yaml" "the configuration inside $file"
        ;;
    *) check "$file" "$file" ;;
    esac
done

for file in README.md doc/*.md; do
    name=$scratch/$(basename "$file" .md)
    # Each block that has services is a file of its own.
    awk -v name="$name" '
        /^```yaml$/ { on = 1; text = ""; next }
        /^```$/ && on { on = 0; if (text ~ /(^|\n)services:/) { printf "%s", text >(name "." ++n ".yaml") } next }
        on { text = text $0 "\n" }
    ' "$file"
    for block in "$name".*.yaml; do
        if [ -e "$block" ]; then check "$block" "an example in $file ($(basename "$block"))"; fi
    done
done

# The manifest of Kubernetes has to be YAML as a whole; whatever checker is here may say so.
if command -v python3 >/dev/null 2>&1 && python3 -c 'import yaml' 2>/dev/null; then
    python3 -c 'import sys, yaml; list(yaml.safe_load_all(open(sys.argv[1])))' conf/examples/kubernetes.yaml || status=1
fi

# What README says of building and of the image has to be what the image's own example does; places and the number of
# jobs are theirs. (No test builds it: its base comes from a registry.)
image=conf/examples/init.Dockerfile
builds() { # builds FILE: the commands that build and install the self-contained fosterd
    grep -oE 'cmake -[^&]*' "$1" | sed -E 's/ -j "[^"]*"//; s/ -[SB] [^ ]*//g; s, (build/static|/build),,; s/ *\\?$//' | grep -vE 'release'
}
builds README.md | sort -u >"$scratch/readme"
builds "$image" | sort -u >"$scratch/image"
if [ ! -s "$scratch/image" ] || ! cmp -s "$scratch/readme" "$scratch/image"; then
    echo "README.md and $image build differently:"
    diff "$scratch/readme" "$scratch/image" || :
    status=1
fi
cat conf/examples/*Dockerfile >"$scratch/images"
awk '/^```dockerfile$/ { on = 1; next } /^```$/ { on = 0 } on' README.md >"$scratch/lines"
if [ ! -s "$scratch/lines" ] || grep -vxF -f "$scratch/images" "$scratch/lines"; then
    echo "README.md shows lines of a Dockerfile that conf/examples has not"
    status=1
fi

# A file with an error must not pass, or the above means nothing.
printf 'services:\n  a:\n    comand: x\n' >"$scratch/bad.yaml"
if "$daemon" --check -c "$scratch/bad.yaml" >/dev/null 2>&1; then
    echo "a file with an unknown key was accepted"
    status=1
fi

echo "$checked configurations checked"
exit $status
