/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Any bytes as the answer to a probe: what is made of a part must be borne out by the whole.
 */
#include "core/httpline.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): a build for speed must check as well. */
static void require(bool condition)
{
    if (!condition)
        abort();
}

static void fuzz_unchunk(const char *text, size_t len)
{
    char *copy = malloc(len + 1);
    require(copy != NULL);
    memcpy(copy, text, len);
    require(httpline_unchunk(copy, len) <= len);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = size > 0 ? (const char *)data : "";
    struct httpline whole = {0}, part;
    enum httpline_progress progress = httpline_parse(text, size, &whole);

    if (progress != HTTPLINE_FOREIGN && progress != HTTPLINE_NO_STATUS)
        require(whole.status >= 100 && whole.status <= 999);
    if (progress == HTTPLINE_BODY || progress == HTTPLINE_COMPLETE)
        require(whole.body > 0 && whole.body <= size && whole.n_body >= -1);
    for (size_t len = 0; len < size && len < 512; len++) {
        part = (struct httpline){0};
        enum httpline_progress then = httpline_parse(text, len, &part);
        if (then == HTTPLINE_FOREIGN)
            require(progress == HTTPLINE_FOREIGN);
        else if (then != HTTPLINE_NO_STATUS)
            require(progress != HTTPLINE_FOREIGN && progress >= HTTPLINE_NO_HEAD && part.status == whole.status);
        if (then == HTTPLINE_BODY || then == HTTPLINE_COMPLETE)
            require(part.body == whole.body && part.chunked == whole.chunked && part.n_body == whole.n_body);
    }
    fuzz_unchunk(text, size);
    return 0;
}
