# SPDX-License-Identifier: MIT
# Copyright The Foster authors
#
# Counts test cases. First file: what ctest printed, for the outcome of each program. Second file: its
# LastTest.log, for what each program wrote. A program that reports cmocka cases counts by case, any other
# counts one. What a program reports is believed only as far as its outcome allows: one that failed without
# a failed case, or that stopped before its last case, counts as a failure too.
#
# Prints the skipped cases with their reasons, the failed ones, and last "N passed, N failed[, N skipped]".
# Exit status 1 when something failed or nothing passed.

function note_skip(what, why) {
    skipped++
    sub(/^SKIP: /, "", why)
    if (why == "")
        why = "no reason given"
    skips[skipped] = what ": " why
}

function note_failure(what) {
    failed++
    failures[failed] = what
}

function begin_program(name) {
    program = name
    current = ""
    said = ""
    in_output = 0
    cases = 0
    announced = 0
    own_failures = 0
}

function end_case(kind) {
    cases++
    if (kind == "ok") {
        passed++
    } else if (kind == "skipped") {
        note_skip(program "/" current, said)
    } else {
        own_failures++
        note_failure(program "/" current)
    }
    current = ""
}

function end_program(    result) {
    result = outcome[program]
    seen[program] = 1
    if (current != "") {
        own_failures++
        note_failure(program "/" current ": the program ended in the middle of it")
    } else if (result == "skipped") {
        if (cases == 0)
            note_skip(program, said)
    } else if (result != "passed") {
        if (own_failures == 0)
            note_failure(program ": " (result == "" ? "no outcome" : result))
    } else if (announced == 0) {
        passed++
    } else if (cases < announced) {
        note_failure(program ": ran " cases " of " announced " cases")
    }
    program = ""
}

# What ctest printed.
FNR == NR {
    if (match($0, /^ *[0-9]+\/[0-9]+ +Test +#[0-9]+: /)) {
        rest = substr($0, RLENGTH + 1)
        name = rest
        sub(/ .*/, "", name)
        result = substr(rest, length(name) + 1)
        sub(/^ *\.* */, "", result)
        sub(/ +[0-9.]+ sec.*$/, "", result)
        sub(/\*\*\*/, " ", result)
        sub(/^ +/, "", result)
        sub(/[: ]+$/, "", result)
        outcome[name] = result == "Passed" ? "passed" : result == "Skipped" ? "skipped" : result
    }
    next
}

# Its log.
!in_output && /^[0-9]+\/[0-9]+ Testing: / {
    name = $0
    sub(/^[0-9]+\/[0-9]+ Testing: /, "", name)
    begin_program(name)
    next
}
program != "" && !in_output && /^Output:$/ { waiting = 1; next }
waiting { waiting = 0; in_output = 1; next }
!in_output { next }
/^<end of output>$/ || /<end of output>$/ {
    in_output = 0
    end_program()
    next
}
/\[==========\] Running [0-9]+ test\(s\)\.?/ {
    line = $0
    sub(/.*\[==========\] Running /, "", line)
    announced += line + 0
    next
}
/\[ RUN      \] / {
    if (current != "")
        end_case("interrupted")
    current = $0
    sub(/.*\[ RUN      \] /, "", current)
    said = ""
    next
}
current != "" && /\[       OK \] / && substr($0, length($0) - length(current)) == " " current { end_case("ok"); next }
current != "" && /\[  SKIPPED \] / && substr($0, length($0) - length(current)) == " " current { end_case("skipped"); next }
current != "" && /\[  FAILED  \] / && substr($0, length($0) - length(current)) == " " current { end_case("failed"); next }
{
    text = $0
    gsub(/^[ \t]+|[ \t]+$/, "", text)
    if (text != "" && length(said) < 300)
        said = said == "" ? text : said " / " text
}

END {
    for (name in outcome)
        if (!(name in seen)) {
            if (outcome[name] == "skipped")
                note_skip(name, "")
            else
                note_failure(name ": " outcome[name])
        }
    print ""
    for (i = 1; i <= skipped; i++)
        print "skipped " skips[i]
    for (i = 1; i <= failed; i++)
        print "FAILED " failures[i]
    printf "%d passed, %d failed", passed, failed
    if (skipped > 0)
        printf ", %d skipped", skipped
    printf "\n"
    exit (failed > 0 || passed == 0) ? 1 : 0
}
