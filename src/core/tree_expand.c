/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * ${VAR} and its forms in the values of a tree, by one pass over each text: what a variable holds is
 * never looked at again. A branch that is not taken is read for mistakes, but needs no variable.
 */
#include "base/buf.h"
#include "base/utf8.h"
#include "core/tree.h"

#include <string.h>

enum { NAME_MAX_BYTES = 255 };

struct expander {
    struct arena *a;
    struct diag_list *d;
    tree_getenv_fn *getenv_fn;
    void *data;
    struct buf out;      /* the text of the present scalar; holds what is left of the cap at most */
    size_t left;         /* bytes that texts may still take */
    struct diag_pos pos; /* of the present scalar */
    bool stop;           /* a cap or refused memory */
};

/* One ${…} or $NAME. */
struct variable {
    char name[NAME_MAX_BYTES + 1];
    const char *value; /* NULL: not set */
    char op;           /* '-', '?', '+' or 0 */
    bool or_empty;     /* with ':', an empty value is as good as none */
};

static bool expand_text(struct expander *x, const char **at, bool live, unsigned depth);

static bool is_name_start(char c)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static size_t name_length(const char *s)
{
    size_t n = 0;

    while (is_name_start(s[n]) || (n > 0 && s[n] >= '0' && s[n] <= '9'))
        n++;
    return n;
}

static void emit(struct expander *x, bool live, const char *s, size_t len)
{
    if (live)
        (void)buf_add(&x->out, s, len);
}

/* Reads the name at *AT and steps over it. */
static bool read_name(struct expander *x, const char **at, struct variable *ret)
{
    size_t n = name_length(*at);

    if (n == 0) {
        diag_error(x->d, x->pos, "\"$\" without a variable's name; write $$ for a \"$\", or ${NAME} for a variable");
        return false;
    }
    if (n > NAME_MAX_BYTES) {
        diag_error(x->d, x->pos, "the variable name %.20s… is too long; at most %d letters", *at, NAME_MAX_BYTES);
        return false;
    }
    memcpy(ret->name, *at, n);
    ret->name[n] = '\0';
    ret->value = x->getenv_fn(ret->name, x->data);
    *at += n;
    return true;
}

/* Reads the operator of "${NAME:-text}" at *AT and steps over it; at '}' there is none. */
static bool read_operator(struct expander *x, const char **at, struct variable *v)
{
    const char *s = *at;

    v->or_empty = *s == ':';
    if (*s == ':')
        s++;
    if (*s == '-' || *s == '?' || *s == '+') {
        v->op = *s++;
    } else if (*s == '\0') {
        diag_error(x->d, x->pos, "\"${%s\" is not closed; write ${%s}", v->name, v->name);
        return false;
    } else if (*s != '}' || v->or_empty) {
        bool valid;
        int n = (int)utf8_step(*at, strlen(*at), &valid);

        diag_error(x->d, x->pos, "\"${%s\" goes on with \"%.*s\"; write ${%s}, ${%s:-default}, or $$ for a \"$\"",
                   v->name, n, *at, v->name, v->name);
        return false;
    }
    *at = s;
    return true;
}

static bool is_given(const struct variable *v)
{
    return v->value && !(v->or_empty && v->value[0] == '\0');
}

static void report_unset(struct expander *x, const struct variable *v)
{
    diag_error(x->d, x->pos, "variable %s is not set; set it, or write ${%s:-default}", v->name, v->name);
}

/* The error of ${NAME:?message}; the message was written behind the first START bytes of the text. */
static void report_required(struct expander *x, const struct variable *v, size_t start)
{
    const char *message = buf_str(&x->out) + start;

    diag_error(x->d, x->pos, "variable %s is %s; %s", v->name, v->value ? "empty" : "not set",
               message[0] != '\0' ? message : "set it");
}

static void cut(struct buf *b, size_t len)
{
    b->len = len;
    if (b->data)
        b->data[len] = '\0';
}

/* The text behind the operator up to '}', written when it is the branch that counts. */
static bool expand_branch(struct expander *x, const char **at, const struct variable *v, bool live, unsigned depth)
{
    size_t start = x->out.len;
    bool given = is_given(v);
    bool taken = live && (v->op == '+' ? given : !given);

    if (depth == TREE_EXPAND_DEPTH_MAX) {
        diag_error(x->d, x->pos, "${…} over %d levels deep in one another; write less of them", TREE_EXPAND_DEPTH_MAX);
        return false;
    }
    if (!expand_text(x, at, taken, depth + 1))
        return false;
    if (v->op == '?' && taken) {
        report_required(x, v, start);
        cut(&x->out, start);
    }
    return true;
}

/* "$NAME" or "${…}" at *AT, which stands on the '$'. */
static bool expand_variable(struct expander *x, const char **at, bool live, unsigned depth)
{
    struct variable v = {.op = 0};
    bool braced = (*at)[1] == '{';

    *at += braced ? 2 : 1;
    if (!read_name(x, at, &v) || (braced && !read_operator(x, at, &v)))
        return false;
    if (v.op == 0 && live && !v.value)
        report_unset(x, &v);
    if (v.op != '+' && is_given(&v))
        emit(x, live, v.value, strlen(v.value));
    if (v.op != 0 && !expand_branch(x, at, &v, live, depth))
        return false;
    if (!braced)
        return true;
    if (**at != '}') {
        diag_error(x->d, x->pos, "\"${%s\" is not closed; write \"}\" behind it", v.name);
        return false;
    }
    (*at)++;
    return true;
}

/* Expands up to the end of the text or, inside of ${…}, up to its '}'. False: an error is in D, the rest of the text
 * has no meaning. */
static bool expand_text(struct expander *x, const char **at, bool live, unsigned depth)
{
    const char *ends = depth > 0 ? "$}" : "$";

    for (;;) {
        size_t n = strcspn(*at, ends);

        emit(x, live, *at, n);
        *at += n;
        if (**at != '$')
            return true;
        if ((*at)[1] == '$') {
            emit(x, live, "$", 1);
            *at += 2;
        } else if (!expand_variable(x, at, live, depth)) {
            return false;
        }
    }
}

static void expand_scalar(struct expander *x, struct tree_node *node)
{
    const char *at = node->text;
    char *text;

    if (!strchr(at, '$'))
        return;
    buf_reset(&x->out);
    x->out.max = x->left;
    x->pos = node->pos;
    if (!expand_text(x, &at, true, 0))
        return;
    text = x->out.failed ? NULL : arena_strndup(x->a, buf_str(&x->out), x->out.len);
    if (!text) {
        diag_error(x->d, x->pos, "with this the variables give over %d bytes, or there is no memory; use shorter ones",
                   TREE_EXPANDED_MAX);
        x->stop = true;
        return;
    }
    x->left -= x->out.len;
    node->text = text;
    node->null = false;
}

static void expand_node(struct expander *x, struct tree_node *node, unsigned depth)
{
    if (node->kind == TREE_SCALAR) {
        expand_scalar(x, node);
        return;
    }
    if (depth >= TREE_DEPTH_MAX) {
        diag_error(x->d, node->pos, "the nesting is over %d levels deep; make it flatter", TREE_DEPTH_MAX);
        return;
    }
    for (size_t i = 0; i < node->n && !x->stop; i++)
        expand_node(x, node->kind == TREE_MAPPING ? node->pairs[i].value : node->items[i], depth + 1);
}

void tree_expand(struct arena *a, struct diag_list *d, struct tree_node *node, tree_getenv_fn *getenv_fn, void *data)
{
    struct expander x = {.a = a, .d = d, .getenv_fn = getenv_fn, .data = data, .left = TREE_EXPANDED_MAX};

    buf_init(&x.out, x.left);
    expand_node(&x, node, 0);
    buf_done(&x.out);
}
