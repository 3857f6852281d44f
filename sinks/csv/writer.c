/* SPDX-License-Identifier: MIT */
/* The one file that lines are added to: found again, cut, made durable. */

/*
 * The notes are always written before the file gets what they must describe: "file X, complete up
 * to 0" when X was created and is empty, "up to N" when N bytes of it are on disk. So whatever is
 * behind the offset is of a send that was never answered, and is cut off.
 *
 * A file is known again by the last bytes before the offset (one without lines by its inode). One
 * that is not, because somebody replaced, cut or extended it, is left alone for ever: another is
 * begun, under its name if that is free, else with a number.
 *
 * Finishing a file and beginning another: rotation.c.
 */

#include "sinks/csv/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crc.h"
#include "sinks/csv/folder.h"
#include "sinks/csv/place.h"
#include "sinks/csv/writer_priv.h"
#include "sinks/text/trouble.h"

enum { TAIL_SIZE = 4096 /* bytes that a file is known again by */ };

/* --- answers ------------------------------------------------------------------------------ */

bool weir_csv_failed(weir_send_answer *ret, int code, const char *what, const char *path)
{
    weir_trouble_answer(ret, code, what, path);
    return false;
}

void weir_csv_log(const weir_csv_writer *w, weir_log_level level, const char *file,
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

void weir_csv_file_close(weir_csv_writer *w)
{
    if (w->fd >= 0)
        (void)close(w->fd);
    w->fd = -1;
    w->fit_from_us = w->fit_until_us = 0;
}

void weir_csv_writer_deinit(weir_csv_writer *w)
{
    weir_csv_file_close(w);
    weir_csv_notes_close(&w->notes);
}

/* --- the notes ---------------------------------------------------------------------------- */

bool weir_csv_note_save(weir_csv_writer *w, const weir_csv_note *note, weir_send_answer *ret)
{
    if (!weir_csv_notes_save(&w->notes, note))
        return weir_csv_failed(ret, errno, "cannot write", w->notes.path);
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
        weir_csv_log(
            w, WEIR_LOG_WARNING, w->notes.path,
            "is of another store or another sink: its file is left as it is and another is "
            "begun");
    if (opened == WEIR_CSV_OPENED_DAMAGED)
        weir_csv_log(w, WEIR_LOG_WARNING, w->notes.path,
                     "cannot be read: its file is left as it is and another is begun; some samples "
                     "may be in both");
    weir_csv_note note = w->noted ? w->note : note_fresh(w);
    /* Both slots, so that from now on nothing needs more room. */
    w->noted = weir_csv_note_save(w, &note, ret) && weir_csv_note_save(w, &note, ret);
    if (w->noted && !weir_csv_folder_sync(w->notes.path))
        return weir_csv_failed(ret, errno, "cannot sync the folder of", w->notes.path);
    return w->noted;
}

static bool notes_failed(weir_csv_opened opened, const char *path, weir_send_answer *ret)
{
    char why[sizeof ret->why];
    if (opened == WEIR_CSV_FAILED)
        return weir_csv_failed(ret, errno, "cannot open", path);
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
    weir_csv_file_close(w);
    weir_csv_path_notes(w->options->path, &path);
    if (!loaded || path.failed)
        return weir_csv_failed(ret, ENOMEM, "cannot open", w->options->path);
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
    weir_csv_log(w, WEIR_LOG_WARNING, note.file, weir_text_get(&text));
    weir_csv_file_close(w);
    note.file[0] = '\0';
    note.offset = 0;
    return weir_csv_note_save(w, &note, ret);
}

static bool file_cut(weir_csv_writer *w, uint64_t size, weir_send_answer *ret)
{
    char text[96];
    if (size > w->note.offset) {
        if (ftruncate(w->fd, (off_t)w->note.offset) != 0 || fdatasync(w->fd) != 0)
            return weir_csv_failed(ret, errno, "cannot cut", w->note.file);
        (void)snprintf(text, sizeof text,
                       "had %" PRIu64 " bytes that were not acknowledged: cut "
                       "off, they come again",
                       size - w->note.offset);
        weir_csv_log(w, WEIR_LOG_NOTICE, w->note.file, text);
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
        return weir_csv_failed(ret, code, "cannot open", w->note.file);
    }
    w->fd = fd;
    if (!file_is_known(fd, &st, &w->note))
        return file_give_up(w, "is no longer as weir left it and stays as it is", ret);
    if (!file_cut(w, (uint64_t)st.st_size, ret)) {
        weir_csv_file_close(w);
        return false;
    }
    if (w->note.format == w->format)
        return true;
    weir_csv_log(w, WEIR_LOG_NOTICE, w->note.file, "has other columns: it is finished");
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

/* --- writing ------------------------------------------------------------------------------ */

void weir_csv_writer_abandon(weir_csv_writer *w)
{
    if (w->fd >= 0 && ftruncate(w->fd, (off_t)w->note.offset) != 0)
        weir_csv_file_close(w);
    w->size = w->note.offset;
    w->tail = w->note.tail;
    w->tail_from = w->note.tail_from;
}

static bool file_abandon(weir_csv_writer *w, int code, const char *what, weir_send_answer *ret)
{
    weir_csv_writer_abandon(w);
    return weir_csv_failed(ret, code, what, w->note.file);
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
    weir_csv_file_close(w);
    weir_csv_notes_close(&w->notes);
    return false;
}
