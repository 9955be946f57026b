/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A program of somebody else, in C and C++: it includes one header, and has functions of its own that are called as
 * some inside libfoster are.
 */
#include <foster/foster.h>

#include <stdio.h>
#include <stdlib.h>

#ifdef __cplusplus
#define NOTHING nullptr
extern "C" {
#else
#define NOTHING NULL
#endif

int buf_add(void);
int mem_alloc(void);

int buf_add(void)
{
    return 1;
}

int mem_alloc(void)
{
    return 2;
}

#ifdef __cplusplus
}
#endif

static void on_notification(struct foster *f, const char *method, const char *params, void *data)
{
    printf("%s: %s %s\n", foster_path(f), method, params);
    *(int *)data += 1;
}

int main(int argc, char **argv)
{
    int n = 0;
    struct foster_error e;
    struct foster_handlers handlers;
    struct foster *f = foster_connect(argc > 1 ? argv[1] : NOTHING, &e);
    if (f == NOTHING) {
        printf("%s\n", e.text);
        return e.kind == FOSTER_ERR_NO_DAEMON && buf_add() == 1 && mem_alloc() == 2 ? 3 : 1;
    }
    handlers.on_notification = on_notification;
    handlers.on_reply = NOTHING;
    handlers.data = &n;
    foster_set_handlers(f, &handlers);
    char *result = foster_call(f, "hello", "{\"protocol\":1}", 1000, NOTHING, &e);
    if (result != NOTHING)
        printf("%s\n", result);
    free(result);
    foster_free(f);
    return result != NOTHING ? 0 : 1;
}
