/* SPDX-License-Identifier: MIT */
/* The reference for the sink csv: the same lines by snprintf, with the same syncs, and no weir. */

/*
 *   ref-csv PATH ROWS BATCH TAGS
 *
 * Lines "time,tag,value,unit,quality,cause" of samples as drive-sink generates them, each BATCH in
 * one write that is synced; then, as the sink does, a page beside it that says how far that is, and
 * that synced too. The samples are made before the clock runs. Prints {"seconds": s, "bytes": n}.
 */

#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 160, NOTE_SIZE = 8192 };

struct sample {
    int64_t ts_us;
    unsigned tag;
    double value;
};

static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int line_format(char *to, const struct sample *s, char (*names)[40])
{
    const time_t seconds = (time_t)(s->ts_us / 1000000);
    struct tm t;
    (void)gmtime_r(&seconds, &t);
    return snprintf(to, LINE_MAX_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ,%s,%.17g,%s,%s,%s\n",
                    t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec,
                    (int)(s->ts_us % 1000000), names[s->tag], s->value, "", "good", "none");
}

static void synced_write(int fd, const char *bytes, size_t n, off_t at)
{
    if (pwrite(fd, bytes, n, at) != (ssize_t)n || fdatasync(fd) != 0)
        fail("write");
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    const size_t n = strtoul(argv[2], NULL, 10), batch = strtoul(argv[3], NULL, 10);
    const unsigned tags = (unsigned)strtoul(argv[4], NULL, 10);
    char note_path[4096], note[NOTE_SIZE] = "";
    (void)snprintf(note_path, sizeof note_path, "%s.note", argv[1]);
    char(*names)[40] = calloc(tags, sizeof *names);
    struct sample *samples = calloc(n, sizeof *samples);
    char *buffer = malloc(batch * LINE_MAX_BYTES);
    const int fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0666);
    const int note_fd = open(note_path, O_RDWR | O_CREAT | O_TRUNC, 0666);
    if (!names || !samples || !buffer || fd < 0 || note_fd < 0)
        fail("start");
    for (unsigned i = 0; i < tags; i++)
        (void)snprintf(names[i], sizeof names[i], "device-%u/point-%u", i / 20, i % 20);
    srand(1);
    for (size_t i = 0; i < n; i++)
        samples[i] = (struct sample){1700000000000000 + (int64_t)(i / tags) * 1000000,
                                     (unsigned)(i % tags), (double)(rand() % 100000) / 100};
    off_t size = 0;
    const double began = now_s();
    for (size_t i = 0; i < n; i += batch) {
        size_t length = 0;
        for (size_t k = i; k < n && k < i + batch; k++)
            length += (size_t)line_format(buffer + length, &samples[k], names);
        synced_write(fd, buffer, length, size);
        size += (off_t)length;
        (void)snprintf(note, sizeof note, "seq %zu offset %jd\n", i + batch, (intmax_t)size);
        synced_write(note_fd, note, sizeof note, (off_t)(i / batch % 2) * NOTE_SIZE);
    }
    printf("{\"seconds\": %.6f, \"bytes\": %jd}\n", now_s() - began, (intmax_t)size);
    return 0;
}
