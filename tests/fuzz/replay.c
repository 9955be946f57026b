/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * Feeds stored inputs to a fuzz target without libFuzzer: the driver of the normal test run. Arguments are
 * files and directories of files; a crash or sanitizer report is the failure.
 *
 * DIAGNOSTICS
 *   Exit status 0 when every input came back; 1 when an argument cannot be read or no input was found.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { REPLAY_BYTES_MAX = 4 << 20, REPLAY_PATH_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned n_inputs;

/* The target gets an allocation of exactly the input's size, so that ASan sees a read behind its end. */
static bool replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
        return false;
    }
    static uint8_t bytes[REPLAY_BYTES_MAX];
    size_t size = fread(bytes, 1, sizeof(bytes), f);
    bool ok = !ferror(f);
    fclose(f);
    uint8_t *exact = ok ? malloc(size ? size : 1) : NULL;
    if (!exact) {
        fprintf(stderr, "replay: %s: cannot be read\n", path);
        return false;
    }
    memcpy(exact, bytes, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    n_inputs++;
    return true;
}

static bool replay_directory(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir) {
        fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
        return false;
    }
    bool ok = true;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        char file[REPLAY_PATH_MAX];
        int len = snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
        ok = len > 0 && (size_t)len < sizeof(file) && replay_file(file) && ok;
    }
    closedir(dir);
    return ok;
}

int main(int argc, char **argv)
{
    bool ok = true;
    for (int i = 1; i < argc; i++) {
        struct stat st;
        bool is_directory = stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode);
        ok = (is_directory ? replay_directory(argv[i]) : replay_file(argv[i])) && ok;
    }
    printf("replayed %u inputs\n", n_inputs);
    return ok && n_inputs > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
