/* SPDX-License-Identifier: MIT */
/* Which file a line belongs to: finishing one, beginning the next. */

/*
 * Finishing a file renames it first and notes that after. A crash between leaves notes of a file
 * that is not there: another is begun, nothing is lost.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sinks/csv/finished.h"
#include "sinks/csv/folder.h"
#include "sinks/csv/place.h"
#include "sinks/csv/writer_priv.h"
#include "sinks/text/trouble.h"

enum { VARIANTS_MAX = 10000 /* x-2.csv, x-3.csv ... */ };

/* --- which file --------------------------------------------------------------------------- */

/* What two times have in common when their lines belong to one file. */
static void period_of(const weir_csv_writer *w, weir_wall time, weir_text *t)
{
    const int64_t local_us = weir_zone_to_local(w->zone, time);
    weir_csv_path_render(w->options->path, local_us, t);
    if (w->options->rotate_interval_us)
        weir_text_format(t, "|%" PRId64,
                         weir_floor_divide(local_us, w->options->rotate_interval_us));
}

static bool same_period(const weir_csv_writer *w, weir_wall a, weir_wall b)
{
    WEIR_TEXT_AUTO first = WEIR_TEXT_INIT, second = WEIR_TEXT_INIT;
    period_of(w, a, &first);
    period_of(w, b, &second);
    return strcmp(weir_text_get(&first), weir_text_get(&second)) == 0;
}

static bool is_timed(const weir_csv_writer *w)
{
    return w->options->rotate_interval_us || weir_csv_path_has_fields(w->options->path);
}

/* A clock that is ahead must not open the file of a year to come. */
static weir_wall file_time(weir_wall time, weir_wall wall)
{
    return time.us < wall.us ? time : wall;
}

bool weir_csv_writer_fits(weir_csv_writer *w, weir_wall time, weir_wall wall)
{
    const weir_wall begun = {w->note.begun_us};
    if (w->fd < 0)
        return false;
    time = file_time(time, wall);
    if (!is_timed(w) || (time.us >= w->fit_from_us && time.us < w->fit_until_us))
        return true;
    /* What comes late goes to the file of now; unless that is of a time which never was. */
    if (time.us <= begun.us && begun.us <= wall.us)
        return true;
    if (!same_period(w, begun, time))
        return false;
    /* No field is finer than a second. */
    w->fit_from_us = weir_floor_multiple(time.us, WEIR_S);
    w->fit_until_us = w->fit_from_us + WEIR_S;
    return true;
}

/* --- finishing ---------------------------------------------------------------------------- */

static bool name_is_free(const char *path)
{
    struct stat st;
    return lstat(path, &st) != 0 && errno == ENOENT;
}

/* "/data/x-20261121T130000.csv": its first line's time, where the clock on the wall is the zone's.
 */
static bool finished_name(const weir_csv_writer *w, weir_text *t)
{
    WEIR_TEXT_AUTO stamp = WEIR_TEXT_INIT;
    weir_csv_path_render("%Y%m%dT%H%M%S",
                         weir_zone_to_local(w->zone, (weir_wall){w->note.begun_us}), &stamp);
    const size_t plain = stamp.length;
    for (int i = 2; i < VARIANTS_MAX && !stamp.failed && !t->failed; i++) {
        weir_text_clear(t);
        weir_csv_path_variant(w->note.file, weir_text_get(&stamp), t);
        if (name_is_free(weir_text_get(t)))
            return true;
        stamp.length = plain;
        weir_text_format(&stamp, "-%d", i);
    }
    return false;
}

/* Makes room for the next one under the same name. */
static bool file_rename(weir_csv_writer *w, weir_send_answer *ret)
{
    WEIR_TEXT_AUTO name = WEIR_TEXT_INIT;
    if (!finished_name(w, &name))
        return weir_csv_failed(ret, EEXIST, "there are too many files beside", w->note.file);
    /* First the list: a name on it that is nowhere does no harm, the reverse is never deleted. */
    if (w->options->keep_files && !weir_csv_finished_add(w->notes.path, weir_text_get(&name)))
        return weir_csv_failed(ret, errno, "cannot keep the list of finished files beside",
                               w->notes.path);
    if (rename(w->note.file, weir_text_get(&name)) != 0)
        return weir_csv_failed(ret, errno, "cannot rename", w->note.file);
    return true;
}

/* Whether the name says which lines are in it, and the next line's file has another. */
static bool name_can_stay(const weir_csv_writer *w, const weir_wall *next)
{
    WEIR_TEXT_AUTO path = WEIR_TEXT_INIT;
    if (!next || !weir_csv_path_has_fields(w->options->path))
        return false;
    const weir_wall time = file_time(*next, w->host->wall(w->host->data));
    weir_csv_path_render(w->options->path, weir_zone_to_local(w->zone, time), &path);
    return strcmp(weir_text_get(&path), w->note.file) != 0;
}

static bool file_finish(weir_csv_writer *w, const weir_wall *next, weir_send_answer *ret)
{
    if (w->note.offset == 0) {
        (void)unlink(w->note.file); /* it never got a line */
        return true;
    }
    if (!name_can_stay(w, next))
        return file_rename(w, ret);
    return !w->options->keep_files || weir_csv_finished_add(w->notes.path, w->note.file) ||
           weir_csv_failed(ret, errno, "cannot keep the list of finished files beside",
                           w->notes.path);
}

bool weir_csv_writer_finish(weir_csv_writer *w, const weir_wall *next, weir_send_answer *ret)
{
    weir_csv_note note = w->note;
    if (!file_finish(w, next, ret))
        return false;
    weir_csv_file_close(w);
    note.file[0] = '\0';
    note.offset = 0;
    if (!weir_csv_folder_sync(w->note.file))
        return weir_csv_failed(ret, errno, "cannot sync the folder of", w->note.file);
    if (!weir_csv_note_save(w, &note, ret))
        return false;
    if (w->options->keep_files)
        weir_csv_finished_trim(w->notes.path, (size_t)w->options->keep_files);
    return true;
}

/* --- beginning ---------------------------------------------------------------------------- */

enum tried { TRIED_OPEN, TRIED_TAKEN, TRIED_FAILED };

/* A file that is empty can be used: nothing of anybody is in it. */
static enum tried file_try(weir_csv_writer *w, const char *path, struct stat *ret_st,
                           weir_send_answer *ret)
{
    if (stat(path, ret_st) == 0 && !S_ISREG(ret_st->st_mode)) {
        weir_trouble_not_a_file(ret, ret_st->st_mode, path);
        return TRIED_FAILED;
    }
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
    if (fd < 0 || fstat(fd, ret_st) != 0) {
        weir_trouble_answer(ret, errno, "cannot create", path);
        if (fd >= 0)
            (void)close(fd);
        return TRIED_FAILED;
    }
    if (ret_st->st_size > 0) {
        (void)close(fd);
        return TRIED_TAKEN;
    }
    w->fd = fd;
    return TRIED_OPEN;
}

/* Under the path, or the first of its variants that nobody has. */
static bool file_create(weir_csv_writer *w, const char *path, weir_text *name, struct stat *ret_st,
                        weir_send_answer *ret)
{
    char number[16];
    weir_text_add(name, path);
    for (int i = 2; i < VARIANTS_MAX; i++) {
        const enum tried tried = file_try(w, weir_text_get(name), ret_st, ret);
        if (tried == TRIED_OPEN && i > 2)
            weir_csv_log(
                w, WEIR_LOG_WARNING, weir_text_get(name),
                "is written instead: the file of that name is not known to be this sink's");
        if (tried != TRIED_TAKEN)
            return tried == TRIED_OPEN;
        weir_text_clear(name);
        (void)snprintf(number, sizeof number, "%d", i);
        weir_csv_path_variant(path, number, name);
    }
    return weir_csv_failed(ret, EEXIST, "there are too many files beside", path);
}

static bool file_note(weir_csv_writer *w, const char *path, const struct stat *st, weir_wall time,
                      weir_send_answer *ret)
{
    weir_csv_note note = w->note;
    if ((size_t)snprintf(note.file, sizeof note.file, "%s", path) >= sizeof note.file)
        return weir_csv_failed(ret, ENAMETOOLONG, "cannot create", path);
    note.offset = note.tail_from = 0;
    note.tail = 0;
    note.format = w->format;
    note.device = (uint64_t)st->st_dev;
    note.inode = (uint64_t)st->st_ino;
    note.begun_us = time.us;
    if (!weir_csv_folder_sync(path))
        return weir_csv_failed(ret, errno, "cannot sync the folder of", path);
    return weir_csv_note_save(w, &note, ret);
}

static void path_of(const weir_csv_writer *w, weir_wall time, weir_text *t)
{
    weir_text_clear(t);
    weir_csv_path_render(w->options->path, weir_zone_to_local(w->zone, time), t);
}

/* A line that comes after its period was finished, under a name that is kept: it belongs to the
 * file of now, as it would if that were open. */
static bool comes_too_late(const weir_csv_writer *w, weir_wall time, const char *path)
{
    struct stat st;
    const weir_wall begun = {w->note.begun_us}; /* of the file that was finished last */
    return weir_csv_path_has_fields(w->options->path) && begun.us != 0 &&
           (time.us <= begun.us || same_period(w, begun, time)) && stat(path, &st) == 0 &&
           st.st_size > 0;
}

bool weir_csv_writer_begin(weir_csv_writer *w, weir_wall time, weir_send_answer *ret)
{
    WEIR_TEXT_AUTO path = WEIR_TEXT_INIT, name = WEIR_TEXT_INIT;
    struct stat st;
    const weir_wall wall = w->host->wall(w->host->data);
    time = file_time(time, wall);
    path_of(w, time, &path);
    if (comes_too_late(w, time, weir_text_get(&path))) {
        time = wall;
        path_of(w, time, &path);
    }
    if (path.failed)
        return weir_csv_failed(ret, ENOMEM, "cannot create", w->options->path);
    if (!weir_csv_folders_make(w->options->path, weir_text_get(&path), ret) ||
        !file_create(w, weir_text_get(&path), &name, &st, ret))
        return false;
    if (!file_note(w, weir_text_get(&name), &st, time, ret)) {
        weir_csv_file_close(w);
        return false;
    }
    w->size = w->tail_from = 0;
    w->tail = 0;
    return true;
}
