/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * A directory for log files, a logger that writes to them, and what they hold altogether.
 */
#ifndef FOSTER_TESTS_LOGGER_FILE_KIT_H
#define FOSTER_TESTS_LOGGER_FILE_KIT_H

#include "unit/logger/rig.h"

#include "base/rotated.h"
#include "sys/logfile.h"

#include <dirent.h>
#include <sys/stat.h>

enum { RING = 65536, NAME_MAX_HERE = 300 };

static struct rig rig; /* one a program, of which it is the only state */

static struct {
    char dir[64], path[96];
    char *data; /* what is in all files, oldest first */
    size_t len;
    size_t n_files;
} here;

static inline int setup(void **state)
{
    (void)state;
    strcpy(here.dir, "/tmp/foster-file-XXXXXX");
    assert_non_null(mkdtemp(here.dir));
    assert_int_equal(chmod(here.dir, 0755), 0);
    snprintf(here.path, sizeof here.path, "%s/web.log", here.dir);
    rig_init(&rig);
    return 0;
}

static inline void empty_dir(void)
{
    DIR *d = opendir(here.dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (e->d_name[0] != '.')
            assert_true(unlinkat(dirfd(d), e->d_name, 0) == 0 || unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR) == 0);
    closedir(d);
}

static inline int teardown(void **state)
{
    (void)state;
    rig_done(&rig);
    empty_dir();
    assert_int_equal(rmdir(here.dir), 0);
    free(here.data);
    here.data = NULL;
    return 0;
}

static inline struct spec_log to_file(void)
{
    return (struct spec_log){
        .driver = SPEC_LOG_FILE, .path = here.path, .max_file = 10000, .file_mode = 0640, .directory_mode = 0750};
}

static inline void say(const struct rig_stream *s, const char *text)
{
    assert_int_equal(write(s->write_fd, text, strlen(text)), strlen(text));
}

static inline void append_file(const char *name)
{
    char command[NAME_MAX_HERE + 128], path[NAME_MAX_HERE + 64];
    snprintf(path, sizeof path, "%s/%s", here.dir, name);
    snprintf(command, sizeof command, "gzip -dc %s", path);
    FILE *f = rotated_is_compressed(name) ? popen(command, "r") : fopen(path, "r");
    assert_non_null(f);
    for (size_t n = 1; n > 0; here.len += n) {
        here.data = realloc(here.data, here.len + 65536 + 1);
        assert_non_null(here.data);
        n = fread(here.data + here.len, 1, 65536, f);
    }
    here.data[here.len] = '\0';
    if (rotated_is_compressed(name))
        assert_int_equal(pclose(f), 0);
    else
        fclose(f);
}

/* Reads all files. */
static inline void read_all(void)
{
    struct logfile_list l;
    int fd = open(here.dir, O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    assert_int_equal(logfile_list(fd, "web.log", false, &l), 0);
    here.len = 0;
    for (size_t i = 0; i < l.n; i++)
        append_file(l.names[i]);
    here.n_files = l.n + 1;
    append_file("web.log");
    logfile_list_done(&l);
    close(fd);
}

#endif
