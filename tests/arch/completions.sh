#!/bin/sh
# SPDX-License-Identifier: MIT
# Copyright The Foster authors
#
# fosterctl's verbs and options are those of its table everywhere: in what three shells complete, in the manual page,
# and wherever a document shows a command. Shells are asked for what they offer, as far as they are here.
#
#   completions.sh SOURCE-DIR
set -eu

cd "$1"
table=include/ctl/verbs.def
manual=doc/fosterctl.1.scd
here=$(pwd)/conf/completions
scratch=$(mktemp -d "${TMPDIR:-/tmp}/foster-completions.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
HOME=$scratch
export HOME
status=0

complain() {
    echo "$*"
    status=1
}

same() { # same FILE FILE WHAT: the lines of the second are those of the first
    sort -u "$1" >"$scratch/want"
    sort -u "$2" >"$scratch/have"
    if ! cmp -s "$scratch/want" "$scratch/have"; then
        complain "$3:"
        diff "$scratch/want" "$scratch/have" | sed -n 's/^</    missing:/p; s/^>/    too much:/p'
    fi
}

# --- The table: "word verb" for each verb and alias, "verb option" for each option (ANY: of all verbs) ---

sed -n 's/^VERB(\([A-Z]*\), *\([a-z]*\), *"\([^"]*\)".*/\1 \2 \3/p' "$table" |
    awk '{ for (i = 2; i <= NF; i++) print $i, $1 }' >"$scratch/words"
sed -n "s/^OPTION(\\([A-Z]*\\), *\\('.'\\|0\\), *\\([^,]*\\),.*/\\1 \\2 \\3/p" "$table" | tr -d "'\"" |
    awk '$2 != "0" { print $1, "-" $2 } $3 != "NULL" { print $1, "--" $3 }' >"$scratch/options"
if [ "$(wc -l <"$scratch/words")" -lt 10 ] || [ "$(wc -l <"$scratch/options")" -lt 10 ]; then
    echo "$table: its rows are not understood"
    exit 2
fi
cut -d ' ' -f 1 "$scratch/words" >"$scratch/verbs"
# "word option", as it can be typed
awk 'NR == FNR { if ($1 == "ANY") any[$2]; else own[$1] = own[$1] " " $2; next }
     { n = split(own[$2], o, " "); for (i = 1; i <= n; i++) print $1, o[i]; for (a in any) print $1, a }' \
    "$scratch/options" "$scratch/words" >"$scratch/typed"
{
    echo up
    echo healthy
    echo down
    awk '/^    "state": \{/ { on = 1 } on && /\]/ { exit } on && /^        "/ { print }' doc/schema/fosterctl.json | tr -d ' ",'
} >"$scratch/states"

# --- A fosterctl that knows some names, and one that would like to be a command ---

mkdir "$scratch/bin"
cat >"$scratch/bin/fosterctl" <<END
#!/bin/sh
case \$* in
'--timeout 2s list --names') printf '%s\n' web web.1 web.2 db tpl@a '\$(touch\${IFS}$scratch/run)' ;;
'-s /other --timeout 2s list --names') echo other ;;
*) echo "\$*" >>"$scratch/odd" ;;
esac
END
chmod 755 "$scratch/bin/fosterctl"
PATH=$scratch/bin:$PATH

cat >"$scratch/lines" <<'END'
start |db tpl@a web web.1 web.2
start we|web web.1 web.2
start stop w|web web.1 web.2
-s /other stop |other
stop -s /other |other
--socket=/other stop |other
kill -s HUP d|db
signal HUP d|db
signal H|HUP
--timeout 3s start d|db
scale |db= tpl@a= web=
sto|stop
wait --for re|ready
--color a|always auto
reload w|web web.1 web.2
plot d|db
list --names |
END

offers() { # offers SHELL: what it has offered for each line is what stands behind the bar
    # In their order, each once; the name that looks like a command may be offered or not.
    # shellcheck disable=SC2016 # the dollars are awk's
    odd=$(awk -F '|' -v shell="$1" '
        NR == FNR { if (!($1 in offered)) offered[$1] = $2; next }
        {
            have = last = ""
            n = split(offered[$1], word, " ")
            do {
                least = ""
                for (i = 1; i <= n; i++)
                    if (word[i] > last && !index(word[i], "touch$") && (least == "" || word[i] < least)) least = word[i]
                last = least
                have = have (have != "" && least != "" ? " " : "") least
            } while (least != "")
            if (have != $2) printf "%s: for \047%s\047 it offers \047%s\047, not \047%s\047\n", shell, $1, have, $2
        }' "$scratch/offered" "$scratch/lines")
    if [ -n "$odd" ]; then complain "$odd"; fi
    if [ -e "$scratch/run" ]; then complain "$1: a name was taken for a command"; fi
    if [ -e "$scratch/odd" ]; then complain "$1: fosterctl was called with: $(cat "$scratch/odd")"; fi
    rm -f "$scratch/run" "$scratch/odd"
}

# --- bash ---

if command -v bash >/dev/null; then
    # Readline hands over what is behind the last break of words, and replaces that.
    cat >"$scratch/bash" <<'END'
. "$1/fosterctl.bash"
COMP_WORDBREAKS=$' \t\n"\'><=;|&(:'
offer() {
    COMP_LINE="fosterctl $1" COMP_POINT=$((${#1} + 10))
    _fosterctl fosterctl "${1##*[ =]}" ''
    printf '%s\n' "${COMPREPLY[@]}"
}
while read -r word; do offer "$word -" | sed "s/=\$//; s/^/$word /"; done <"$2/verbs" >"$2/bash.typed"
offer '' >"$2/bash.verbs"
offer 'wait --for=' >"$2/bash.states"
while IFS='|' read -r line _; do echo "$line|$(offer "$line" | tr '\n' ' ')"; done <"$2/lines" >"$2/offered"
COMP_WORDBREAKS=${COMP_WORDBREAKS/=/}
COMP_LINE='fosterctl wait --for=rea' COMP_POINT=24
_fosterctl fosterctl --for=rea wait
echo "${COMPREPLY[*]}" >"$2/whole"
COMP_WORDBREAKS+=@
COMP_LINE='fosterctl start tpl@' COMP_POINT=20
_fosterctl fosterctl @ start
echo "${COMPREPLY[*]}" >>"$2/whole"
END
    bash --norc "$scratch/bash" "$here" "$scratch"
    same "$scratch/typed" "$scratch/bash.typed" 'options that bash completes'
    same "$scratch/verbs" "$scratch/bash.verbs" 'verbs that bash completes'
    same "$scratch/states" "$scratch/bash.states" 'states that bash completes'
    printf '%s\n' --for=ready @a >"$scratch/parts"
    same "$scratch/parts" "$scratch/whole" 'bash with other breaks of words'
    offers bash
else
    echo 'SKIP: bash is not here'
fi

# --- zsh: its completion system needs a terminal, so that it is told what to offer, and asked for that ---

if command -v zsh >/dev/null; then
    zsh -n "$here/_fosterctl" || complain "_fosterctl is no zsh"
    cat >"$scratch/zsh" <<'END'
_arguments() {
    if [[ $1 == -C ]]; then
        state=$place line=($word)
    else
        # (these exclude it)-o=[help]:value
        for spec in "$@"; do
            spec=${spec#\(*\)}
            if [[ $spec == -* ]]; then print -r -- $word ${${spec%%\[*}%=}; fi
        done
    fi
}
_describe() { print -rl -- ${verbs%%:*} }
compadd() { print -rl -- "${@:#--}" }
place=argument
for word in ${(f)"$(<$2/verbs)"}; do source $1/_fosterctl; done >$2/zsh.typed
place=verb
source $1/_fosterctl >$2/zsh.verbs
_fosterctl_states >$2/zsh.states
END
    zsh -f "$scratch/zsh" "$here" "$scratch"
    same "$scratch/typed" "$scratch/zsh.typed" 'options that zsh completes'
    same "$scratch/verbs" "$scratch/zsh.verbs" 'verbs that zsh completes'
    same "$scratch/states" "$scratch/zsh.states" 'states that zsh completes'
else
    echo 'SKIP: zsh is not here'
fi

# --- fish ---

if command -v fish >/dev/null; then
    fish --no-config -n "$here/fosterctl.fish" || complain "fosterctl.fish is no fish"
    cat >"$scratch/fish" <<'END'
source $argv[1]/fosterctl.fish
function offer
    complete -C "fosterctl $argv" | string replace -r '\t.*' ''
end
for word in (cat $argv[2]/verbs)
    offer "$word -" | string replace -r '^' "$word "
end >$argv[2]/fish.typed
offer '' >$argv[2]/fish.verbs
offer 'wait --for ' >$argv[2]/fish.states
for line in (cat $argv[2]/lines)
    set line (string replace -r '\|.*' '' -- $line)
    echo "$line|"(offer "$line" | string join ' ')
end >$argv[2]/offered
END
    fish --no-config "$scratch/fish" "$here" "$scratch"
    same "$scratch/typed" "$scratch/fish.typed" 'options that fish completes'
    same "$scratch/verbs" "$scratch/fish.verbs" 'verbs that fish completes'
    same "$scratch/states" "$scratch/fish.states" 'states that fish completes'
    offers fish
else
    echo 'SKIP: fish is not here'
fi

# --- The manual: a verb's paragraph begins with its names and options, set bold ---

bold() { grep -oE '\*[^* ]+\*' | tr -d '*'; }
sed -n '/^# OPTIONS/,/^# COMMANDS/p' "$manual" | grep '^\*-' | bold | sed 's/^/ANY /' >"$scratch/said"
sed -n '/^# COMMANDS/,/^# EXIT/p' "$manual" | grep '^\*' | while read -r heading; do
    names=$(printf '%s\n' "$heading" | bold)
    id=$(awk -v word="$(printf '%s\n' "$names" | head -n 1)" '$1 == word { print $2 }' "$scratch/words")
    printf '%s\n' "$names" | while read -r name; do
        case $name in
        -*) echo "$id $name" ;;
        *) echo "$name $id" >>"$scratch/named" ;;
        esac
    done
done >>"$scratch/said"
same "$scratch/options" "$scratch/said" "options in $manual"
same "$scratch/words" "$scratch/named" "verbs in $manual"

# --- Commands that documents show ---

# " verb verb " and " verb,option verb,option ", to look for words without starting a process for each.
known_verbs=" $(tr '\n' ' ' <"$scratch/verbs")"
known_options=" $(tr ' ' ',' <"$scratch/typed" | tr '\n' ' ')"

for page in README.md CHANGELOG.md doc/*.md doc/*.scd conf/*.yaml conf/examples/*; do
    # In manual pages, what stands in blocks.
    # shellcheck disable=SC2016 # the backticks are scdoc
    case $page in *.scd) sed -n '/^```$/,/^```$/p' "$page" ;; *) cat "$page" ;; esac | tr -d '[],"*' |
        grep -oE "(^|[^_a-z/.])fosterctl +[a-z-][^\`|&;)#]*" | sed 's/^.*fosterctl *//; s/\\.*//' |
        while read -r words; do
            # Words have neither blanks nor patterns that could match a file.
            # shellcheck disable=SC2086
            set -f -- $words
            while [ $# -gt 0 ]; do
                case $1 in
                -s | --socket | --timeout | --color) shift 2 || break ;;
                -*) shift ;;
                *) break ;;
                esac
            done
            verb=${1-}
            case $known_verbs in
            *" ${verb:-none} "*) ;;
            *)
                case $words in --version* | --help* | -*) ;; *) echo "$page shows 'fosterctl $words', and there is no verb '$verb'" ;; esac
                continue
                ;;
            esac
            for word; do
                case $word in
                -*) case $known_options in *" $verb,${word%%=*} "*) ;; *) echo "$page: fosterctl $verb has no option $word" ;; esac ;;
                esac
            done
        done
done >"$scratch/out"
awk '!named[$2]++ { print $1 }' "$scratch/words" | while read -r verb; do
    if ! grep -qE "fosterctl $verb\\>|\`$verb\`" README.md; then echo "README.md does not name the verb $verb"; fi
done >>"$scratch/out"
if [ -s "$scratch/out" ]; then
    cat "$scratch/out"
    status=1
fi

exit $status
