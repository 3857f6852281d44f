/* SPDX-License-Identifier: MIT */
/* The sink that writes comma-separated values: complete lines, each sample once. */

/*
 * A send adds its lines to the file and commits: the file is synced, then the notes beside it,
 * which say how far it is complete and up to which seq. Then it answers. After a crash the writer
 * cuts what is behind, and resume tells the seq.
 *
 * When a file is finished in the midst of a send (by time or size), the lines before that are
 * committed. If the rest of the send then fails, all its rows come again: those that are committed
 * are passed over.
 */

#include "sinks/csv/csv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crc.h"
#include "base/number.h"
#include "sinks/csv/line.h"
#include "sinks/csv/place.h"
#include "sinks/csv/writer.h"
#include "sinks/text/trial.h"
#include "sinks/text/trouble.h"
#include "store/file/zonefile.h"

enum { CHUNK = 1 << 20 }; /* bytes written at once */

/* A send that failed and will come again: what of it is in the file. */
struct retry {
    bool active;
    uint64_t before;   /* the seq that was noted when it failed */
    uint64_t first;    /* of the send */
    uint64_t from, to; /* from 1 to 0: nothing */
};

struct csv {
    const weir_sink_host *host;
    const weir_csv_options *options;
    const weir_zone *zone;
    weir_zone *zone_owned;
    weir_csv_format format;
    weir_csv_writer writer;
    weir_text header; /* "": none */
    weir_text buffer, line;
    struct retry retry;
};

/* --- options ------------------------------------------------------------------------------ */

static weir_err rotation_check(const weir_csv_options *o, weir_error *error)
{
    enum { SIZE_MIN = 4096 }; /* below it a file would be finished with every few lines */
    if (o->rotate_size > 0 && o->rotate_size < SIZE_MIN)
        return weir_fail(error, WEIR_EINVAL, "rotate_size must be at least 4096 B, or 0 for never");
    if (o->rotate_interval_us > 0 && o->rotate_interval_us < WEIR_S)
        return weir_fail(error, WEIR_EINVAL, "rotate_interval must be at least 1s, or 0 for never");
    if (o->keep_files > 0 && !o->rotate_size && !o->rotate_interval_us &&
        !weir_csv_path_has_fields(o->path))
        return weir_fail(error, WEIR_EINVAL,
                         "keep_files says how many finished files are kept, but none is ever "
                         "finished: set rotate_size or rotate_interval");
    return WEIR_OK;
}

static weir_err csv_check(const void *options, weir_error *error)
{
    const weir_csv_options *o = options;
    const weir_zone *zone = NULL;
    WEIR_CLEANUP(weir_zone_free) weir_zone *owned = NULL;
    weir_csv_format format = {0};
    weir_err err = weir_csv_path_check(o->path, error);
    if (!err)
        err = rotation_check(o, error);
    if (!err && weir_zone_open(o->time_zone, &zone, &owned, error) != WEIR_OK) {
        (void)weir_fail_prefix(error, "time_zone: ");
        err = WEIR_EINVAL;
    }
    if (!err)
        err = weir_csv_format_init(&format, o, zone, error);
    weir_csv_format_deinit(&format);
    return err;
}

/* --- life --------------------------------------------------------------------------------- */

/* Of all that makes lines what they are: a file has lines of one kind only. */
static uint32_t format_number(const struct csv *s, const weir_text *header)
{
    const char *zone = s->options->time_zone ? s->options->time_zone : "";
    uint32_t crc = weir_crc32c(0, header->text, header->length);
    crc = weir_crc32c(crc, zone, strlen(zone) + 1);
    return weir_crc32c(crc, s->options->header ? "h" : "-", 1);
}

static weir_err csv_init(void *state, const weir_sink_host *host, const void *options,
                         weir_error *error)
{
    struct csv *s = state;
    s->host = host;
    s->options = options;
    weir_csv_writer_init(&s->writer, host, options, weir_zone_utc(), 0, "");
    weir_err err = weir_zone_open(s->options->time_zone, &s->zone, &s->zone_owned, error);
    if (!err)
        err = weir_csv_format_init(&s->format, s->options, s->zone, error);
    if (err)
        return err;
    weir_csv_add_header(&s->format, &s->header);
    const uint32_t number = format_number(s, &s->header);
    if (s->header.failed)
        return weir_fail(error, WEIR_ENOMEM, "columns: out of memory");
    if (!s->options->header)
        weir_text_clear(&s->header);
    weir_csv_writer_init(&s->writer, host, options, s->zone, number, weir_text_get(&s->header));
    return WEIR_OK;
}

static void csv_deinit(void *state)
{
    struct csv *s = state;
    weir_csv_writer_deinit(&s->writer);
    weir_csv_format_deinit(&s->format);
    weir_text_deinit(&s->header);
    weir_text_deinit(&s->buffer);
    weir_text_deinit(&s->line);
    weir_zone_free(s->zone_owned);
}

/* --- sending ------------------------------------------------------------------------------ */

static bool flush(struct csv *s, weir_send_answer *ret)
{
    if (s->buffer.failed || s->line.failed) {
        weir_send_later(ret, WEIR_TROUBLE_OFFLINE, "lower batch", "out of memory");
        return false;
    }
    const bool done = weir_csv_writer_add(&s->writer, s->buffer.text, s->buffer.length, ret);
    weir_text_clear(&s->buffer);
    return done;
}

static bool in_time(const struct csv *s, weir_mono deadline, weir_send_answer *ret)
{
    if (s->host->is_ending(s->host->data)) {
        weir_send_later(ret, WEIR_TROUBLE_OFFLINE, "", "weir is ending");
        return false;
    }
    if (weir_mono_reached(s->host->now(s->host->data), deadline)) {
        weir_send_later(ret, WEIR_TROUBLE_BUSY,
                        "lower batch, or find out what else writes to that disk",
                        "the disk is slow: the time for a send is over");
        return false;
    }
    return true;
}

/* What is added since the last commit is durable from here on. */
static bool commit(struct csv *s, uint64_t seq, weir_send_answer *ret)
{
    if (!flush(s, ret) || !weir_csv_writer_commit(&s->writer, seq, ret))
        return false;
    if (s->retry.from == 0)
        s->retry.from = s->retry.first;
    s->retry.to = seq;
    return true;
}

static bool is_full(const struct csv *s)
{
    /* The header comes with the first line. */
    const uint64_t size = (s->writer.size ? s->writer.size : s->header.length) + s->buffer.length;
    return s->options->rotate_size && size > s->header.length &&
           size + s->line.length > s->options->rotate_size;
}

/* The file that the line belongs to is open. */
static bool file_turn(struct csv *s, const weir_sink_row *row, weir_wall wall, uint64_t seq,
                      weir_send_answer *ret)
{
    const weir_wall time = row->sample.ts;
    const bool open = s->writer.fd >= 0;
    if (open && weir_csv_writer_fits(&s->writer, time, wall) && !is_full(s))
        return true;
    if (open && (s->buffer.length > 0 || s->writer.size > s->writer.note.offset) &&
        !commit(s, seq, ret))
        return false;
    return (!open || weir_csv_writer_finish(&s->writer, &time, ret)) &&
           weir_csv_writer_begin(&s->writer, time, ret);
}

static bool row_is_done(const struct csv *s, const weir_sink_row *row)
{
    const struct retry *r = &s->retry;
    return r->active && !row->replayed && row->seq >= r->from && row->seq <= r->to;
}

static bool rows_write(struct csv *s, const weir_sink_row *rows, size_t n, weir_mono deadline,
                       uint64_t *seq, weir_send_answer *ret)
{
    const weir_wall wall = s->host->wall(s->host->data);
    for (size_t i = 0; i < n; i++) {
        if (row_is_done(s, &rows[i]))
            continue;
        weir_text_clear(&s->line);
        weir_csv_add_row(&s->format, &rows[i], &s->line);
        if (!file_turn(s, &rows[i], wall, *seq, ret))
            return false;
        weir_text_add_n(&s->buffer, weir_text_get(&s->line), s->line.length);
        if (!rows[i].replayed)
            *seq = rows[i].seq;
        if (s->buffer.length >= CHUNK && (!in_time(s, deadline, ret) || !flush(s, ret)))
            return false;
    }
    return true;
}

/* What is known of a send that failed, before the same rows come again. */
static void retry_begin(struct csv *s, const weir_sink_row *rows, size_t n)
{
    struct retry *r = &s->retry;
    /* A commit whose notes could not be synced may have arrived after all. */
    if (r->active && s->writer.note.seq > r->before) {
        r->from = r->from ? r->from : r->first;
        r->to = r->to > s->writer.note.seq ? r->to : s->writer.note.seq;
    }
    if (r->active)
        return;
    *r = (struct retry){.before = s->writer.note.seq};
    for (size_t i = 0; i < n && !r->first; i++)
        r->first = rows[i].replayed ? 0 : rows[i].seq;
}

static void csv_send(void *state, const weir_sink_row *rows, size_t n, weir_mono deadline,
                     weir_send_answer *ret)
{
    struct csv *s = state;
    uint64_t seq = 0;
    *ret = (weir_send_answer){.result = WEIR_SEND_DELIVERED};
    weir_text_clear(&s->buffer);
    if (!weir_csv_writer_ready(&s->writer, ret))
        return;
    retry_begin(s, rows, n);
    if (rows_write(s, rows, n, deadline, &seq, ret) &&
        (s->writer.size + s->buffer.length == s->writer.note.offset || commit(s, seq, ret))) {
        s->retry = (struct retry){0};
        return;
    }
    weir_csv_writer_abandon(&s->writer);
    s->retry.active = true;
    s->retry.before = s->writer.note.seq;
}

static void csv_resume(void *state, weir_mono deadline, uint64_t *ret_seq, weir_send_answer *ret)
{
    struct csv *s = state;
    (void)deadline;
    *ret = (weir_send_answer){.result = WEIR_SEND_DELIVERED};
    *ret_seq = 0;
    if (weir_csv_writer_ready(&s->writer, ret))
        *ret_seq = s->writer.note.seq;
}

/* A period may end while nothing comes: whoever waits for the finished file has it then. */
static void csv_idle(void *state, weir_mono now)
{
    struct csv *s = state;
    const weir_wall wall = s->host->wall(s->host->data);
    weir_send_answer answer;
    (void)now;
    if (s->writer.fd < 0 || weir_csv_writer_fits(&s->writer, wall, wall))
        return;
    /* If that fails the next send will, and tells why. */
    if (weir_csv_writer_ready(&s->writer, &answer) && s->writer.fd >= 0) {
        const bool done = weir_csv_writer_finish(&s->writer, &wall, &answer);
        (void)done;
    }
}

/* --- a test ------------------------------------------------------------------------------- */

static bool test_failed(weir_sink_test *ret, int code, const char *what, const char *path)
{
    weir_trouble_answer(&ret->answer, code, what, path);
    return false;
}

/* A line in a file of its own, which nobody else reads. */
static bool test_line(struct csv *s, const char *path, weir_sink_test *ret)
{
    WEIR_TEXT_AUTO line = WEIR_TEXT_INIT;
    const weir_sink_row row = weir_trial_row(s->host->wall(s->host->data));
    weir_csv_add_row(&s->format, &row, &line);
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return test_failed(ret, errno, "cannot create", path);
    const ssize_t n = write(fd, weir_text_get(&line), line.length);
    const bool done = n == (ssize_t)line.length && fsync(fd) == 0;
    const int code = n >= 0 && n < (ssize_t)line.length ? ENOSPC : errno;
    (void)close(fd);
    (void)unlink(path);
    return done || test_failed(ret, code, "cannot write to", path);
}

/* The file of now, if it is there, must be one that can be written. */
static bool test_current(struct csv *s, weir_sink_test *ret)
{
    WEIR_TEXT_AUTO path = WEIR_TEXT_INIT;
    struct stat st;
    weir_csv_path_render(s->options->path,
                         weir_zone_to_local(s->zone, s->host->wall(s->host->data)), &path);
    if (stat(weir_text_get(&path), &st) != 0)
        return errno == ENOENT || test_failed(ret, errno, "cannot look at", weir_text_get(&path));
    if (!S_ISREG(st.st_mode)) {
        weir_trouble_not_a_file(&ret->answer, st.st_mode, weir_text_get(&path));
        return false;
    }
    return access(weir_text_get(&path), W_OK) == 0 ||
           test_failed(ret, errno, "cannot write to", weir_text_get(&path));
}

static void csv_test(void *state, weir_mono deadline, weir_sink_test *ret)
{
    struct csv *s = state;
    WEIR_TEXT_AUTO folder = WEIR_TEXT_INIT, path = WEIR_TEXT_INIT, room = WEIR_TEXT_INIT;
    struct statvfs disk;
    const weir_mono began = s->host->now(s->host->data);
    (void)deadline;
    *ret = (weir_sink_test){.answer.result = WEIR_SEND_DELIVERED};
    weir_csv_path_folder(s->options->path, &folder);
    weir_csv_path_notes(s->options->path, &path);
    weir_text_format(&path, "-test-%d", (int)getpid());
    if (!test_current(s, ret) || !test_line(s, weir_text_get(&path), ret))
        return;
    ret->latency_us = s->host->now(s->host->data).us - began.us;
    if (statvfs(weir_text_get(&folder), &disk) == 0)
        weir_text_add_size(&room, (uint64_t)disk.f_bavail * disk.f_frsize);
    (void)snprintf(ret->peer, sizeof ret->peer, "%.110s, %.20s free", s->options->path,
                   weir_text_get(&room));
}

/* --- the type ----------------------------------------------------------------------------- */

#define FIELD(name) .offset = offsetof(weir_csv_options, name)

static const char *const line_ends[] = {"lf", "crlf", NULL};

static const weir_option csv_options[] = {
    {.name = "path",
     .type = WEIR_OPTION_STRING,
     .flags = WEIR_OPTION_REQUIRED,
     FIELD(path),
     .metavar = "FILE",
     .text = "The file; its folder must be there. It may have fields of the calendar, as in "
             "/data/%Y/%Y-%m-%d.csv (%Y %y %m %d %F %j %G %V %H %M %S; %% is a percent sign): then "
             "a sample is in the file of its own time, and folders with fields are made. Beside "
             "the file weir keeps FILE.weir, which says how far it is complete."},
    {.name = "time_zone",
     .type = WEIR_OPTION_STRING,
     FIELD(time_zone),
     .fallback = "UTC",
     .metavar = "ZONE",
     .text = "Of the path, the rotation and the columns time and received, such as Europe/Berlin; "
             "these times then carry their distance to UTC."},
    {.name = "rotate_size",
     .type = WEIR_OPTION_SIZE,
     FIELD(rotate_size),
     .fallback = "0",
     .text = "A file is finished before it is larger, at a line's end: it is renamed to "
             "NAME-YYYYMMDDTHHMMSS.csv by the time of its first line. 0: never. A file with one "
             "line may be larger."},
    {.name = "rotate_interval",
     .type = WEIR_OPTION_DURATION,
     FIELD(rotate_interval_us),
     .fallback = "0",
     .text = "A file is finished, and renamed like that, when a multiple of it has passed on the "
             "clock of time_zone: 1h, 1d. 0: never."},
    {.name = "keep_files",
     .type = WEIR_OPTION_INT,
     FIELD(keep_files),
     .min = 0,
     .max = 1000000,
     .fallback = "0",
     .text = "So many finished files are kept, older ones are deleted; only such that were "
             "finished while this was set. 0: all are kept."},
    {.name = "columns",
     .type = WEIR_OPTION_STRINGS,
     FIELD(columns),
     .metavar = "NAMES",
     .text = "Of time, ts (microseconds since 1970), tag, device, point, value, unit, kind, "
             "quality, cause, detail (an exception code), id (of the tag), type, address, "
             "description, labels (JSON), label:KEY, epoch, seq, received, received_ts, replayed. "
             "Default: time, tag, value, unit, quality, cause. When they change, the file is "
             "finished and another begun."},
    {.name = "header",
     .type = WEIR_OPTION_BOOL,
     FIELD(header),
     .fallback = "true",
     .text = "Whether each file begins with the names of its columns."},
    {.name = "delimiter",
     .type = WEIR_OPTION_STRING,
     FIELD(delimiter),
     .fallback = ",",
     .metavar = "CHARACTER",
     .text = "Between the columns: , or ; or | or the word tab."},
    {.name = "line_end",
     .type = WEIR_OPTION_ENUM,
     FIELD(line_end),
     .fallback = "lf",
     .words = line_ends,
     .text = "lf, which everything reads, or crlf, which RFC 4180 asks for."},
    {.name = NULL},
};

const weir_sink_type weir_sink_csv = {
    .abi = WEIR_SINK_ABI,
    .name = "csv",
    .summary = "lines of comma-separated values in a file",
    .text =
        "One line a sample, oldest first, as RFC 4180 has it: text with the delimiter, a quote or "
        "a "
        "line end is quoted and may go over several lines. bool is true or false; i64, u64 and "
        "decimal are written with all their digits; f32 and f64 with the fewest that read back to "
        "the same bits; NaN, Infinity and -Infinity as these words; string as it is, a NUL "
        "included; bytes as hex. A bad sample has an empty value, its quality is bad and its cause "
        "says why; an empty string is \"\". Columns kind and detail tell the rest.\n"
        "Nothing is there twice: a send is acknowledged when its lines and the notes beside the "
        "file (FILE.weir) are on disk, and after a crash what is behind the noted end is cut off "
        "and sent again. Only `weir sink replay` writes samples once more; with columns ts, id and "
        "epoch they can be told. Other programs may read the file at any time, move it away or "
        "delete it: weir begins another. A file that weir does not know again is never changed; "
        "the next free name is used (NAME-2.csv), and the log says so.",
    .options = csv_options,
    .options_size = sizeof(weir_csv_options),
    .state_size = sizeof(struct csv),
    .flags = WEIR_SINK_IN_ORDER,
    .rows_max = 20000,
    .check = csv_check,
    .init = csv_init,
    .deinit = csv_deinit,
    .send = csv_send,
    .test = csv_test,
    .resume = csv_resume,
    .idle = csv_idle,
};
