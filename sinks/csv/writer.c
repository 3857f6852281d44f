/* SPDX-License-Identifier: MIT */
/* The one file that lines are added to: found again, begun, finished, cut, made durable. */

/*
 * The notes are always written before the file gets what they must describe: "file X, complete up
 * to 0" when X was created and is empty, "up to N" when N bytes of it are on disk. So whatever is
 * behind the offset is of a send that was never answered, and is cut off.
 *
 * A file is known again by the last bytes before the offset (one without lines by its inode). One
 * that is not, because somebody replaced, cut or extended it, is left alone for ever: another is
 * begun, under its name if that is free, else with a number.
 *
 * Finishing a file renames it first and notes that after. A crash between leaves notes of a file
 * that is not there: another is begun, nothing is lost.
 */

#include "sinks/csv/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crc.h"
#include "sinks/csv/finished.h"
#include "sinks/csv/place.h"
#include "sinks/text/trouble.h"

enum {
    TAIL_SIZE = 4096,     /* bytes that a file is known again by */
    VARIANTS_MAX = 10000, /* x-2.csv, x-3.csv ... */
};

/* --- answers ------------------------------------------------------------------------------ */

static bool failed(weir_send_answer *ret, int code, const char *what, const char *path)
{
    weir_trouble_answer(ret, code, what, path);
    return false;
}

static void writer_log(const weir_csv_writer *w, weir_log_level level, const char *file,
                       const char *text)
{
    WEIR_TEXT_AUTO line = WEIR_TEXT_INIT;
    weir_text_format(&line, "%s %s", file, text);
    w->host->log(w->host->data, level, "csv_file", weir_text_get(&line));
}

/* --- life --------------------------------------------------------------------------------- */

void weir_csv_writer_init(weir_csv_writer *w, const weir_sink_host *host,
                          const weir_csv_options *options, const weir_zone *zone, uint32_t format,
                          const char *header)
{
    *w = (weir_csv_writer){
        .host = host,
        .options = options,
        .zone = zone,
        .format = format,
        .header = header,
        .notes = WEIR_CSV_NOTES_INIT,
        .fd = -1,
    };
}

static void file_close(weir_csv_writer *w)
{
    if (w->fd >= 0)
        (void)close(w->fd);
    w->fd = -1;
    w->fit_from_us = w->fit_until_us = 0;
}

void weir_csv_writer_deinit(weir_csv_writer *w)
{
    file_close(w);
    weir_csv_notes_close(&w->notes);
}

/* A name is durable when its folder is. */
static bool folder_sync(const char *path)
{
    WEIR_TEXT_AUTO folder = WEIR_TEXT_INIT;
    const char *slash = strrchr(path, '/');
    if (slash)
        weir_text_add_n(&folder, path, slash == path ? 1 : (size_t)(slash - path));
    const int fd = open(slash ? weir_text_get(&folder) : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    /* Some network file systems cannot sync a folder, and need not. */
    const bool done = fsync(fd) == 0 || errno == EINVAL;
    const int code = errno;
    (void)close(fd);
    errno = code;
    return done;
}

/* --- the notes ---------------------------------------------------------------------------- */

static bool note_save(weir_csv_writer *w, const weir_csv_note *note, weir_send_answer *ret)
{
    if (!weir_csv_notes_save(&w->notes, note))
        return failed(ret, errno, "cannot write", w->notes.path);
    w->note = *note;
    return true;
}

static bool note_is_ours(const weir_csv_writer *w, const weir_csv_note *note)
{
    return strcmp(note->store, w->host->store) == 0 && strcmp(note->sink, w->host->name) == 0;
}

static weir_csv_note note_fresh(const weir_csv_writer *w)
{
    weir_csv_note note = {.seq = 0};
    (void)snprintf(note.store, sizeof note.store, "%s", w->host->store);
    (void)snprintf(note.sink, sizeof note.sink, "%s", w->host->name);
    return note;
}

/* What was loaded, or what this program remembers of notes that somebody deleted. */
static bool note_take(weir_csv_writer *w, weir_csv_opened opened, const weir_csv_note *loaded,
                      weir_send_answer *ret)
{
    if (opened == WEIR_CSV_OPENED && note_is_ours(w, loaded)) {
        w->note = *loaded;
        w->noted = true;
        return true;
    }
    if (opened == WEIR_CSV_OPENED)
        writer_log(w, WEIR_LOG_WARNING, w->notes.path,
                   "is of another store or another sink: its file is left as it is and another is "
                   "begun");
    if (opened == WEIR_CSV_OPENED_DAMAGED)
        writer_log(w, WEIR_LOG_WARNING, w->notes.path,
                   "cannot be read: its file is left as it is and another is begun; some samples "
                   "may be in both");
    weir_csv_note note = w->noted ? w->note : note_fresh(w);
    /* Both slots, so that from now on nothing needs more room. */
    w->noted = note_save(w, &note, ret) && note_save(w, &note, ret);
    if (w->noted && !folder_sync(w->notes.path))
        return failed(ret, errno, "cannot sync the folder of", w->notes.path);
    return w->noted;
}

static bool notes_failed(weir_csv_opened opened, const char *path, weir_send_answer *ret)
{
    char why[sizeof ret->why];
    if (opened == WEIR_CSV_FAILED)
        return failed(ret, errno, "cannot open", path);
    if (opened == WEIR_CSV_LOCKED) {
        (void)snprintf(why, sizeof why,
                       "another sink or another weir writes to it: %.150s is "
                       "locked",
                       path);
        weir_send_later(ret, WEIR_TROUBLE_BUSY,
                        "give each sink a path of its own; fuser PATH.weir shows who has it", "%s",
                        why);
        return false;
    }
    (void)snprintf(why, sizeof why, "%.150s is not weir's notes about the file", path);
    weir_send_later(ret, WEIR_TROUBLE_MISCONFIGURED, "move it away, or choose another path", "%s",
                    why);
    return false;
}

static bool notes_ready(weir_csv_writer *w, weir_send_answer *ret)
{
    WEIR_TEXT_AUTO path = WEIR_TEXT_INIT;
    WEIR_CLEANUP(weir_free) void *memory = weir_alloc_zero(1, sizeof(weir_csv_note));
    weir_csv_note *loaded = memory;
    if (weir_csv_notes_hold(&w->notes))
        return true;
    weir_csv_notes_close(&w->notes);
    file_close(w);
    weir_csv_path_notes(w->options->path, &path);
    if (!loaded || path.failed)
        return failed(ret, ENOMEM, "cannot open", w->options->path);
    const weir_csv_opened opened = weir_csv_notes_open(&w->notes, weir_text_get(&path), loaded);
    if (opened >= WEIR_CSV_LOCKED)
        return notes_failed(opened, weir_text_get(&path), ret);
    if (note_take(w, opened, loaded, ret))
        return true;
    weir_csv_notes_close(&w->notes);
    return false;
}

/* --- knowing the file again --------------------------------------------------------------- */

static bool tail_matches(int fd, const weir_csv_note *note)
{
    char bytes[TAIL_SIZE];
    const uint64_t n = note->offset - note->tail_from;
    return n <= sizeof bytes && pread(fd, bytes, n, (off_t)note->tail_from) == (ssize_t)n &&
           weir_crc32c(0, bytes, n) == note->tail;
}

static bool file_is_known(int fd, const struct stat *st, const weir_csv_note *note)
{
    if (!S_ISREG(st->st_mode) || (uint64_t)st->st_size < note->offset)
        return false;
    if (note->offset == 0)
        return st->st_size == 0 ||
               ((uint64_t)st->st_dev == note->device && (uint64_t)st->st_ino == note->inode);
    return tail_matches(fd, note);
}

/* From now on no file is the sink's; the seq stays. */
static bool file_give_up(weir_csv_writer *w, const char *why, weir_send_answer *ret)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_csv_note note = w->note;
    weir_text_format(&text, "%s: another file is begun", why);
    writer_log(w, WEIR_LOG_WARNING, note.file, weir_text_get(&text));
    file_close(w);
    note.file[0] = '\0';
    note.offset = 0;
    return note_save(w, &note, ret);
}

static bool file_cut(weir_csv_writer *w, uint64_t size, weir_send_answer *ret)
{
    char text[96];
    if (size > w->note.offset) {
        if (ftruncate(w->fd, (off_t)w->note.offset) != 0 || fdatasync(w->fd) != 0)
            return failed(ret, errno, "cannot cut", w->note.file);
        (void)snprintf(text, sizeof text,
                       "had %" PRIu64 " bytes that were not acknowledged: cut "
                       "off, they come again",
                       size - w->note.offset);
        writer_log(w, WEIR_LOG_NOTICE, w->note.file, text);
    }
    w->size = w->note.offset;
    w->tail = w->note.tail;
    w->tail_from = w->note.tail_from;
    return true;
}

/* The file of the notes, as a crash or a stop left it. */
static bool file_adopt(weir_csv_writer *w, weir_send_answer *ret)
{
    struct stat st;
    const int fd = open(w->note.file, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && (errno == ENOENT || errno == EISDIR || errno == ENOTDIR || errno == ENXIO))
        return file_give_up(w, "is no longer there", ret);
    if (fd < 0 || fstat(fd, &st) != 0) {
        const int code = errno;
        if (fd >= 0)
            (void)close(fd);
        return failed(ret, code, "cannot open", w->note.file);
    }
    w->fd = fd;
    if (!file_is_known(fd, &st, &w->note))
        return file_give_up(w, "is no longer as weir left it and stays as it is", ret);
    if (!file_cut(w, (uint64_t)st.st_size, ret)) {
        file_close(w);
        return false;
    }
    if (w->note.format == w->format)
        return true;
    writer_log(w, WEIR_LOG_NOTICE, w->note.file, "has other columns: it is finished");
    return weir_csv_writer_finish(w, NULL, ret);
}

/* Whether the file that is open still has its name and its size. */
static bool file_is_untouched(const weir_csv_writer *w)
{
    struct stat open_one, named;
    return fstat(w->fd, &open_one) == 0 && stat(w->note.file, &named) == 0 &&
           open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino &&
           (uint64_t)open_one.st_size == w->size;
}

bool weir_csv_writer_ready(weir_csv_writer *w, weir_send_answer *ret)
{
    if (!notes_ready(w, ret))
        return false;
    if (w->fd >= 0)
        return file_is_untouched(w) ||
               file_give_up(w, "was deleted, replaced or changed by another program", ret);
    return !w->note.file[0] || file_adopt(w, ret);
}

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
        return failed(ret, EEXIST, "there are too many files beside", w->note.file);
    /* First the list: a name on it that is nowhere does no harm, the reverse is never deleted. */
    if (w->options->keep_files && !weir_csv_finished_add(w->notes.path, weir_text_get(&name)))
        return failed(ret, errno, "cannot keep the list of finished files beside", w->notes.path);
    if (rename(w->note.file, weir_text_get(&name)) != 0)
        return failed(ret, errno, "cannot rename", w->note.file);
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
           failed(ret, errno, "cannot keep the list of finished files beside", w->notes.path);
}

bool weir_csv_writer_finish(weir_csv_writer *w, const weir_wall *next, weir_send_answer *ret)
{
    weir_csv_note note = w->note;
    if (!file_finish(w, next, ret))
        return false;
    file_close(w);
    note.file[0] = '\0';
    note.offset = 0;
    if (!folder_sync(w->note.file))
        return failed(ret, errno, "cannot sync the folder of", w->note.file);
    if (!note_save(w, &note, ret))
        return false;
    if (w->options->keep_files)
        weir_csv_finished_trim(w->notes.path, (size_t)w->options->keep_files);
    return true;
}

/* --- beginning ---------------------------------------------------------------------------- */

/* The folders that the calendar names; the one above them must be there. */
static bool folders_make(const weir_csv_writer *w, const char *file, weir_send_answer *ret)
{
    WEIR_TEXT_AUTO fixed = WEIR_TEXT_INIT;
    weir_csv_path_folder(w->options->path, &fixed);
    for (const char *p = file + fixed.length; (p = strchr(p, '/')); p++) {
        WEIR_TEXT_AUTO folder = WEIR_TEXT_INIT;
        weir_text_add_n(&folder, file, (size_t)(p - file));
        if (p == file || access(weir_text_get(&folder), F_OK) == 0)
            continue;
        if (mkdir(weir_text_get(&folder), 0777) != 0 && errno != EEXIST)
            return failed(ret, errno, "cannot create the folder", weir_text_get(&folder));
        if (!folder_sync(weir_text_get(&folder)))
            return failed(ret, errno, "cannot sync the folder above", weir_text_get(&folder));
    }
    return true;
}

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
            writer_log(w, WEIR_LOG_WARNING, weir_text_get(name),
                       "is written instead: the file of that name is not known to be this sink's");
        if (tried != TRIED_TAKEN)
            return tried == TRIED_OPEN;
        weir_text_clear(name);
        (void)snprintf(number, sizeof number, "%d", i);
        weir_csv_path_variant(path, number, name);
    }
    return failed(ret, EEXIST, "there are too many files beside", path);
}

static bool file_note(weir_csv_writer *w, const char *path, const struct stat *st, weir_wall time,
                      weir_send_answer *ret)
{
    weir_csv_note note = w->note;
    if ((size_t)snprintf(note.file, sizeof note.file, "%s", path) >= sizeof note.file)
        return failed(ret, ENAMETOOLONG, "cannot create", path);
    note.offset = note.tail_from = 0;
    note.tail = 0;
    note.format = w->format;
    note.device = (uint64_t)st->st_dev;
    note.inode = (uint64_t)st->st_ino;
    note.begun_us = time.us;
    if (!folder_sync(path))
        return failed(ret, errno, "cannot sync the folder of", path);
    return note_save(w, &note, ret);
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
        return failed(ret, ENOMEM, "cannot create", w->options->path);
    if (!folders_make(w, weir_text_get(&path), ret) ||
        !file_create(w, weir_text_get(&path), &name, &st, ret))
        return false;
    if (!file_note(w, weir_text_get(&name), &st, time, ret)) {
        file_close(w);
        return false;
    }
    w->size = w->tail_from = 0;
    w->tail = 0;
    return true;
}

/* --- writing ------------------------------------------------------------------------------ */

void weir_csv_writer_abandon(weir_csv_writer *w)
{
    if (w->fd >= 0 && ftruncate(w->fd, (off_t)w->note.offset) != 0)
        file_close(w);
    w->size = w->note.offset;
    w->tail = w->note.tail;
    w->tail_from = w->note.tail_from;
}

static bool file_abandon(weir_csv_writer *w, int code, const char *what, weir_send_answer *ret)
{
    weir_csv_writer_abandon(w);
    return failed(ret, code, what, w->note.file);
}

static bool file_write(weir_csv_writer *w, const char *bytes, size_t n, weir_send_answer *ret)
{
    for (size_t done = 0; done < n;) {
        const ssize_t wrote = pwrite(w->fd, bytes + done, n - done, (off_t)(w->size + done));
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return file_abandon(w, wrote < 0 ? errno : ENOSPC, "cannot write to", ret);
        done += (size_t)wrote;
    }
    if (n == 0)
        return true;
    const size_t tail = n < TAIL_SIZE ? n : TAIL_SIZE;
    w->size += n;
    w->tail_from = w->size - tail;
    w->tail = weir_crc32c(0, bytes + n - tail, tail);
    return true;
}

bool weir_csv_writer_add(weir_csv_writer *w, const char *bytes, size_t n, weir_send_answer *ret)
{
    if (n > 0 && w->size == 0 && !file_write(w, w->header, strlen(w->header), ret))
        return false;
    return file_write(w, bytes, n, ret);
}

bool weir_csv_writer_commit(weir_csv_writer *w, uint64_t seq, weir_send_answer *ret)
{
    weir_csv_note note = w->note;
    /* After a failed sync nobody knows what is on the disk: it is all written again. */
    if (fdatasync(w->fd) != 0)
        return file_abandon(w, errno, "cannot sync", ret);
    note.seq = seq > note.seq ? seq : note.seq;
    note.offset = w->size;
    note.tail = w->tail;
    note.tail_from = w->tail_from;
    if (weir_csv_notes_save(&w->notes, &note)) {
        w->note = note;
        return true;
    }
    /* Whether the slot arrived only reading tells: nothing is cut before that. */
    weir_trouble_answer(ret, errno, "cannot write", w->notes.path);
    file_close(w);
    weir_csv_notes_close(&w->notes);
    return false;
}
