/* SPDX-License-Identifier: MIT */
/* The daemon's log: one line on stderr for each change of state. */

#include "daemon/log.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "runtime/clock.h"

static _Atomic int log_level = WEIR_LOG_INFO;
static _Atomic int log_format = WEIR_LOG_FORMAT_TEXT;
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long log_lost; /* lines since the last one written; under the lock */

void weir_log_set(weir_log_level level, weir_log_format format)
{
    log_level = (int)level;
    log_format = (int)format;
}

const char *weir_log_level_text(weir_log_level level)
{
    switch (level) {
    case WEIR_LOG_ERROR:
        return "error";
    case WEIR_LOG_WARNING:
        return "warning";
    case WEIR_LOG_NOTICE:
        return "notice";
    case WEIR_LOG_INFO:
        return "info";
    case WEIR_LOG_DEBUG:
        return "debug";
    }
    return "?";
}

static void add_json(weir_text *t, const char *key, const char *value)
{
    weir_text_format(t, "\"%s\": ", key);
    weir_text_add_json(t, value, strlen(value));
}

static void line_json(weir_text *t, weir_log_level level, const char *event, const char *subject,
                      const char *text)
{
    char time[28];
    weir_wall_format(weir_system_wall(), time);
    weir_text_add_char(t, '{');
    add_json(t, "time", time);
    weir_text_add(t, ", ");
    add_json(t, "level", weir_log_level_text(level));
    weir_text_add(t, ", ");
    add_json(t, "event", event);
    if (*subject) {
        weir_text_add(t, ", ");
        add_json(t, "subject", subject);
    }
    weir_text_add(t, ", ");
    add_json(t, "text", text);
    weir_text_add(t, "}\n");
}

static void line_text(weir_text *t, weir_log_level level, const char *event, const char *subject,
                      const char *text)
{
    weir_text_format(t, "%s %s", weir_log_level_text(level), event);
    if (*subject)
        weir_text_format(t, " subject=%s", subject);
    weir_text_add(t, " text=");
    weir_text_add_json(t, text, strlen(text));
    weir_text_add_char(t, '\n');
}

static void line_add(weir_text *t, weir_log_level level, const char *event, const char *subject,
                     const char *text)
{
    if (log_format == WEIR_LOG_FORMAT_JSON)
        line_json(t, level, event, subject, text);
    else
        line_text(t, level, event, subject, text);
}

/* Writes only what goes without waiting: whoever reads our stderr may have stopped to do so, and
 * must not stop the loop. A pipe that is ready takes PIPE_BUF bytes. False: not all went. */
static bool stderr_write(const char *text, size_t n)
{
    while (n > 0) {
        struct pollfd fd = {STDERR_FILENO, POLLOUT, 0};
        if (poll(&fd, 1, 0) != 1 || !(fd.revents & POLLOUT))
            return false;
        ssize_t written = write(STDERR_FILENO, text, n < PIPE_BUF ? n : PIPE_BUF);
        if (written <= 0)
            return false;
        text += written;
        n -= (size_t)written;
    }
    return true;
}

void weir_log_line(weir_log_level level, const char *event, const char *subject, const char *text)
{
    WEIR_TEXT_AUTO t = WEIR_TEXT_INIT;
    if ((int)level > log_level)
        return;
    (void)pthread_mutex_lock(&log_lock);
    if (log_lost) {
        char lost[80];
        (void)snprintf(lost, sizeof lost, "%lu lines: nobody read them", log_lost);
        line_add(&t, WEIR_LOG_WARNING, "log_lost", "", lost);
    }
    line_add(&t, level, event, subject, text);
    log_lost = stderr_write(weir_text_get(&t), t.length) ? 0 : log_lost + 1;
    (void)pthread_mutex_unlock(&log_lock);
}
