/* SPDX-License-Identifier: MIT */
/* The sink that writes JSON lines on standard output: as `weir export --format jsonl` does.
 *
 * The happy path: lines are put together up to what a pipe takes at once, and written when it has
 * room. What can fail: the reader is slow (it is waited for, up to the deadline), or gone. */

#include "sinks/stdout/stdout.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "model/line.h"

enum {
    PIECE = 4096,  /* a pipe that says it has room takes so much without waiting (PIPE_BUF) */
    WAIT_MS = 100, /* until the next look whether it is time to end */
};

struct stdout_state {
    const weir_sink_host *host;
    weir_text lines;
};

static weir_err stdout_init(void *state, const weir_sink_host *host, const void *options,
                            weir_error *error)
{
    struct stdout_state *s = state;
    (void)options;
    (void)error;
    s->host = host;
    return WEIR_OK;
}

static void stdout_deinit(void *state)
{
    weir_text_deinit(&((struct stdout_state *)state)->lines);
}

static void later(weir_send_answer *ret, const char *why)
{
    weir_send_later(ret, WEIR_TROUBLE_OFFLINE, "see to the program that reads it", "%s", why);
}

/* False: not by the deadline, or the reader is gone; *ret says so. */
static bool lines_write(struct stdout_state *s, weir_mono deadline, weir_send_answer *ret)
{
    const weir_sink_host *host = s->host;
    for (size_t at = 0; at < s->lines.length;) {
        struct pollfd fd = {.fd = STDOUT_FILENO, .events = POLLOUT};
        const size_t left = s->lines.length - at;
        const int ready = poll(&fd, 1, WAIT_MS);
        ssize_t n = 0;
        if (ready > 0)
            n = write(STDOUT_FILENO, s->lines.text + at, left < PIECE ? left : PIECE);
        if (n < 0 && errno != EINTR && errno != EAGAIN) {
            char why[120];
            (void)snprintf(why, sizeof why, "standard output: %s", strerror(errno));
            later(ret, why);
            return false;
        }
        at += n > 0 ? (size_t)n : 0;
        if (n > 0)
            continue;
        if (host->is_ending(host->data) || weir_mono_reached(host->now(host->data), deadline)) {
            later(ret, "nobody reads standard output");
            return false;
        }
    }
    return true;
}

static void stdout_send(void *state, const weir_sink_row *rows, size_t n, weir_mono deadline,
                        weir_send_answer *ret)
{
    struct stdout_state *s = state;
    *ret = (weir_send_answer){.result = WEIR_SEND_DELIVERED};
    weir_text_clear(&s->lines);
    for (size_t i = 0; i < n; i++) {
        const weir_line_tag tag = {"", rows[i].tag->name, rows[i].tag->device, rows[i].tag->unit};
        weir_line_add_json(&s->lines, &tag, &rows[i].sample, rows[i].epoch);
        if (s->lines.length < PIECE && i + 1 < n)
            continue;
        if (s->lines.failed)
            later(ret, "out of memory");
        if (s->lines.failed || !lines_write(s, deadline, ret))
            return;
        weir_text_clear(&s->lines);
    }
}

static void stdout_test(void *state, weir_mono deadline, weir_sink_test *ret)
{
    struct pollfd fd = {.fd = STDOUT_FILENO, .events = POLLOUT};
    (void)state;
    (void)deadline;
    *ret = (weir_sink_test){.answer.result = WEIR_SEND_DELIVERED};
    (void)snprintf(ret->peer, sizeof ret->peer, "standard output");
    if (poll(&fd, 1, 0) < 1 || (fd.revents & (POLLERR | POLLNVAL)))
        later(&ret->answer, "nobody reads standard output");
}

static const weir_option stdout_options[] = {{.name = NULL}};

const weir_sink_type weir_sink_stdout = {
    .abi = WEIR_SINK_ABI,
    .name = "stdout",
    .summary = "writes JSON lines on standard output",
    .text =
        "A line for each sample, with the keys of 'weir export --format jsonl': time, tag, "
        "value, unit, quality, cause, epoch. Integers above 2^63-1, NaN, infinities and bytes "
        "are text; a bad sample has the value null, and its cause. Log lines go to stderr.\n\n"
        "Nothing absorbs a repetition: after a crash the lines of the last second or so are "
        "there twice, and one that a slow reader had half of when weir ended is begun anew. Who "
        "reads takes (tag, time, epoch) as the key.",
    .options = stdout_options,
    .options_size = 1,
    .state_size = sizeof(struct stdout_state),
    .flags = WEIR_SINK_IN_ORDER,
    .rows_max = 1000,
    .init = stdout_init,
    .deinit = stdout_deinit,
    .send = stdout_send,
    .test = stdout_test,
};
