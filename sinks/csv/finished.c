/* SPDX-License-Identifier: MIT */
/* The list of files that were finished, so that only those are ever deleted. */

#include "sinks/csv/finished.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

/* One path a line, oldest first. */
static void list_path(const char *notes, const char *suffix, weir_text *t)
{
    weir_text_format(t, "%s.files%s", notes, suffix);
}

static bool list_load(const char *notes, weir_text *ret)
{
    WEIR_TEXT_AUTO path = WEIR_TEXT_INIT;
    char bytes[4096];
    ssize_t n = 0;
    list_path(notes, "", &path);
    const int fd = open(weir_text_get(&path), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno == ENOENT;
    while ((n = read(fd, bytes, sizeof bytes)) > 0)
        weir_text_add_n(ret, bytes, (size_t)n);
    const int code = ret->failed ? ENOMEM : errno;
    (void)close(fd);
    errno = code;
    return n == 0 && !ret->failed;
}

static bool whole_write(const char *path, const weir_text *t)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return false;
    const ssize_t n = write(fd, weir_text_get(t), t->length);
    const bool done = n == (ssize_t)t->length && fsync(fd) == 0;
    const int code = n >= 0 && n < (ssize_t)t->length ? ENOSPC : errno;
    (void)close(fd);
    errno = code;
    return done;
}

/* All of it or nothing: another file takes the name. */
static bool list_save(const char *notes, const weir_text *t)
{
    WEIR_TEXT_AUTO path = WEIR_TEXT_INIT, fresh = WEIR_TEXT_INIT;
    list_path(notes, "", &path);
    list_path(notes, ".new", &fresh);
    if (t->failed || path.failed || fresh.failed) {
        errno = ENOMEM;
        return false;
    }
    if (whole_write(weir_text_get(&fresh), t) &&
        rename(weir_text_get(&fresh), weir_text_get(&path)) == 0)
        return true;
    const int code = errno;
    (void)unlink(weir_text_get(&fresh));
    errno = code;
    return false;
}

bool weir_csv_finished_add(const char *notes, const char *file)
{
    WEIR_TEXT_AUTO list = WEIR_TEXT_INIT;
    if (!list_load(notes, &list))
        return false;
    weir_text_add(&list, file);
    weir_text_add_char(&list, '\n');
    return list_save(notes, &list);
}

static size_t count_lines(const weir_text *list)
{
    size_t n = 0;
    for (size_t i = 0; i < list->length; i++)
        n += list->text[i] == '\n';
    return n;
}

void weir_csv_finished_trim(const char *notes, size_t keep)
{
    WEIR_TEXT_AUTO list = WEIR_TEXT_INIT, kept = WEIR_TEXT_INIT;
    if (!list_load(notes, &list))
        return;
    size_t n = count_lines(&list);
    const size_t before = n;
    char *line = list.text;
    for (char *end; n > keep && (end = strchr(line, '\n')); n--, line = end + 1) {
        *end = '\0';
        if (unlink(line) != 0 && errno != ENOENT) {
            weir_text_add(&kept, line);
            weir_text_add_char(&kept, '\n');
        }
    }
    if (n == before)
        return;
    weir_text_add(&kept, line);
    /* If that fails, what is gone is on the list once more, which does no harm. */
    const bool saved = list_save(notes, &kept);
    (void)saved;
}
