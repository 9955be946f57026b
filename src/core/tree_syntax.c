/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * libyaml's errors in words that say what would be right. Its own texts name grammar symbols, and
 * place some errors where the scanner gave up instead of where the mistake begins.
 *
 * BUGS: the texts of libyaml that we look for are those of 0.2.x; an unknown one is printed as it is.
 */
#include "base/utf8.h"
#include "core/tree_impl.h"

#include <string.h>
#include <yaml.h>

/* libyaml looks at most this many characters ahead for the ':' behind a key. */
enum { LOOKAHEAD = 1024 };

/* Where an error is placed. */
enum place {
    AT_PROBLEM,       /* where the scanner stopped */
    AT_START,         /* where the thing that is wrong began */
    AT_PROBLEM_SINCE, /* where the scanner stopped, and the text ends with where the thing began */
};

/* One error of libyaml; the first row whose words occur in its context and problem is taken. */
struct wording {
    const char *context; /* NULL: any */
    const char *problem;
    enum place place;
    const char *text;
};

static const struct wording wordings[] = {
    {NULL, "tab character", AT_PROBLEM, "a tab cannot indent; indent with spaces"},
    {"quoted scalar", "unexpected end of stream", AT_START, "this quote is never closed; add the closing quote"},
    {"quoted scalar", "unexpected document indicator", AT_START,
     "this quote is not closed before the next document marker; add the closing quote"},
    {"quoted scalar", "unknown escape character", AT_PROBLEM,
     "no such escape in a double-quoted text; write \\\\ for a backslash, or use single quotes"},
    {"quoted scalar", "hexdecimal", AT_PROBLEM,
     "hexadecimal digits are missing in an escape; write \\xHH, \\uHHHH or \\UHHHHHHHH"},
    {"quoted scalar", "invalid Unicode", AT_PROBLEM,
     "this escape is no character; write a code point up to 10FFFF that is no surrogate"},
    {"simple key", "could not find expected ':'", AT_START,
     "this is not followed by ':'; write \"key: value\", or indent it if it continues the text above"},
    {"block mapping", "did not find expected key", AT_PROBLEM_SINCE,
     "this does not fit into its mapping; indent its keys alike, and check the quotes before it; the mapping begins "
     "at"},
    {"block collection", "did not find expected '-'", AT_PROBLEM_SINCE,
     "this does not fit into its list; begin each item with \"- \" in one column; the list begins at"},
    {"flow sequence", "did not find expected ','", AT_PROBLEM_SINCE,
     "the list goes on without a comma or is never closed; write \",\" or \"]\"; the list begins at"},
    {"flow mapping", "did not find expected ','", AT_PROBLEM_SINCE,
     "the mapping goes on without a comma or is never closed; write \",\" or \"}\"; the mapping begins at"},
    {NULL, "did not find expected node content", AT_PROBLEM,
     "a value is missing here; write one, or quote it when it begins with a special character"},
    {NULL, "mapping values are not allowed", AT_PROBLEM,
     "no \":\" can be here; quote a value that holds \": \", or indent this line like its neighbours"},
    {NULL, "block sequence entries are not allowed", AT_PROBLEM,
     "no list item can begin here; put the list on lines of its own, each item with \"- \""},
    {NULL, "mapping keys are not allowed", AT_PROBLEM, "no \"?\" can be here; quote a value that begins with \"? \""},
    {"alias", "alphabetic or numeric", AT_START,
     "a \"*\" begins the name of an anchor; quote a value that begins with it, or write *NAME"},
    {"anchor", "alphabetic or numeric", AT_START,
     "a \"&\" begins the name of an anchor; quote a value that begins with it, or write &NAME"},
    {"tag", "", AT_PROBLEM, "a \"!\" begins a tag, and tags are not supported; quote a value that begins with it"},
    {NULL, "undefined tag handle", AT_PROBLEM,
     "a \"!\" begins a tag, and tags are not supported; quote a value that begins with it"},
    {"block scalar", "comment or line break", AT_PROBLEM,
     "a text cannot begin on the line of its \"|\" or \">\"; put it on the next line, indented"},
    {"block scalar", "equal to 0", AT_PROBLEM, "0 is no indentation; write 1 to 9 behind \"|\" or \">\", or nothing"},
    {NULL, "incompatible YAML document", AT_PROBLEM,
     "no such version of YAML here; write %YAML 1.2, or remove the line"},
    {NULL, "duplicate %YAML", AT_PROBLEM, "%YAML is given twice; remove one"},
    {NULL, "duplicate %TAG", AT_PROBLEM, "tags are not supported; remove the %TAG line"},
    {NULL, "expected <document start>", AT_PROBLEM,
     "the document ended before this; indent it like the rest, or check quotes and brackets above"},
    {"directive", "", AT_START,
     "a line that begins with % is a directive, and only %YAML 1.2 is known; quote the value"},
};

static bool has_words(const char *text, const char *words)
{
    return !words || (text && strstr(text, words));
}

static const struct wording *find_wording(const yaml_parser_t *p)
{
    for (size_t i = 0; i < ARRAY_LEN(wordings); i++)
        if (has_words(p->context, wordings[i].context) && has_words(p->problem, wordings[i].problem))
            return &wordings[i];
    return NULL;
}

static struct diag_pos mark_pos(const struct tree_text *t, yaml_mark_t mark)
{
    return (struct diag_pos){.file = t->file, .line = (unsigned)mark.line + 1, .column = (unsigned)mark.column + 1};
}

/* The scanner found CHARACTER where no value can begin with it. */
static void bad_start(const struct tree_text *t, yaml_mark_t mark, const char *at, size_t len, struct diag_list *d)
{
    bool valid = false;
    size_t n = len > 0 ? utf8_step(at, len, &valid) : 0;

    if (n > 0 && at[0] == '\t')
        diag_error(d, mark_pos(t, mark), "a tab cannot indent; indent with spaces");
    else
        diag_error(d, mark_pos(t, mark), "a value cannot begin with \"%.*s\"; put it in quotes", valid ? (int)n : 0,
                   at);
}

/* A ':' so far right that libyaml may have given up connecting it with its key; what it says then misleads. */
static bool is_overlong_key(const yaml_parser_t *p, const char *at, size_t len)
{
    return len > 0 && at[0] == ':' && p->problem_mark.column >= LOOKAHEAD;
}

/* The end of the file is where an open bracket is found, not where the mistake is. */
static bool is_open_bracket(const yaml_parser_t *p, size_t len)
{
    return len == 0 && (has_words(p->problem, "node content") || has_words(p->problem, "expected ',' or"));
}

static bool is_missing_key(const yaml_parser_t *p, const char *at, size_t len)
{
    return len > 0 && at[0] == ':' && (has_words(p->problem, "node content") || has_words(p->problem, "expected key"));
}

/* "${" without quotes: in a flow collection the '$' is a text and the '{' the next thing behind it. */
static bool is_bare_variable(const struct tree_text *t, const yaml_parser_t *p, const char *at, size_t len)
{
    return len > 0 && at > t->bytes && at[-1] == '$' && at[0] == '{' && has_words(p->context, "flow");
}

static void scanner_error(const struct tree_text *t, const yaml_parser_t *p, struct diag_pos inner, struct diag_list *d)
{
    const struct wording *w = find_wording(p);
    size_t len;
    const char *at = tree_text_at(t, p->problem_mark.index, &len);
    struct diag_pos pos = mark_pos(t, w && w->place == AT_START ? p->context_mark : p->problem_mark);

    if (is_bare_variable(t, p, at, len))
        diag_error(d, pos, "between brackets no variable can stand without quotes; quote it: \"${NAME}\"");
    else if (is_overlong_key(p, at, len))
        diag_error(d, pos, "the key before this \":\" is too long; a key has at most %d bytes", TREE_KEY_MAX);
    else if (has_words(p->problem, "cannot start any token"))
        bad_start(t, p->problem_mark, at, len, d);
    else if (is_open_bracket(p, len))
        diag_error(d, inner, "this bracket is never closed; add \"]\" or \"}\"");
    else if (is_missing_key(p, at, len))
        diag_error(d, pos, "a key is missing here; write \"key: value\"");
    else if (!w)
        diag_error(d, pos, "this is no YAML: %s%s%s; correct the line, or quote the value",
                   p->context ? p->context : "", p->context ? ", " : "", p->problem ? p->problem : "unknown error");
    else if (w->place == AT_PROBLEM_SINCE)
        diag_error(d, pos, "%s line %zu, column %zu", w->text, p->context_mark.line + 1, p->context_mark.column + 1);
    else
        diag_error(d, pos, "%s", w->text);
}

void tree_syntax_error(const struct tree_text *t, const struct yaml_parser_s *p, struct diag_pos inner,
                       struct diag_list *d)
{
    struct diag_pos whole = {.file = t->file};

    switch (p->error) {
    case YAML_SCANNER_ERROR:
    case YAML_PARSER_ERROR:
        scanner_error(t, p, inner, d);
        break;
    case YAML_READER_ERROR:
        diag_error(d, tree_text_pos(t, p->problem_offset),
                   "this is no text that YAML allows: %s; save the file as UTF-8",
                   p->problem ? p->problem : "unknown error");
        break;
    case YAML_MEMORY_ERROR:
        diag_error(d, whole, "no memory to read the file; make it smaller, or give the daemon more");
        break;
    default:
        diag_error(d, whole, "the file cannot be read as YAML; check it with another YAML tool");
        break;
    }
}
