/* SPDX-License-Identifier: MIT */
/* A progress line on a terminal: how much, how fast, how long still. */

#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/output.h"
#include "runtime/clock.h"

enum { BAR = 24 };

static const int64_t appear_us = 2 * WEIR_S, redraw_us = 200 * WEIR_MS;

void weir_progress_start(weir_progress *progress, const char *doing, const char *unit)
{
    *progress = (weir_progress){.doing = doing,
                                .unit = unit,
                                .shows = weir_terminal_colour(stderr),
                                .started_us = weir_system_mono().us};
}

/* "12 s", "3 min 20 s", "2 h 05 min". */
static void duration_format(double seconds, char ret[32])
{
    const int64_t s = seconds > 1e9 ? 1000000000 : (int64_t)(seconds + 0.5);
    if (s < 60)
        (void)snprintf(ret, 32, "%" PRId64 " s", s);
    else if (s < 3600)
        (void)snprintf(ret, 32, "%" PRId64 " min %02" PRId64 " s", s / 60, s % 60);
    else
        (void)snprintf(ret, 32, "%" PRId64 " h %02" PRId64 " min", s / 3600, s / 60 % 60);
}

static void count_format(double n, char ret[32])
{
    static const char *const units[] = {"", " k", " M", " G"};
    unsigned u = 0;
    for (; n >= 9999.5 && u < 3; u++)
        n /= 1000;
    (void)snprintf(ret, 32, u ? "%.1f%s" : "%.0f%s", n, units[u]);
}

/* "[####....] ", or nothing where there is no room for one that tells anything. */
static void bar_format(double fraction, size_t room, char ret[BAR + 4])
{
    enum { BAR_MIN = 6 };
    const int n = room < BAR ? (int)room : BAR;
    if (n < BAR_MIN)
        return;
    ret[0] = '[';
    for (int i = 0; i < n; i++)
        ret[i + 1] = (double)i < fraction * n ? '#' : '.';
    memcpy(ret + n + 1, "] ", 3);
}

void weir_progress_set(weir_progress *progress, uint64_t done, double fraction)
{
    if (!progress->shows)
        return;
    const int64_t now = weir_system_mono().us;
    if (now - progress->started_us < appear_us || now - progress->drawn_us < redraw_us)
        return;
    const double elapsed = (double)(now - progress->started_us) / 1e6;
    char bar[BAR + 4] = "", text[200], count[32], rate[32], left[32];
    fraction = fraction < 0 ? 0 : fraction > 1 ? 1 : fraction;
    count_format((double)done, count);
    count_format((double)done / elapsed, rate);
    duration_format(fraction > 0 ? elapsed / fraction - elapsed : 0, left);
    (void)snprintf(text, sizeof text, "%3.0f %%  %s %s, %s/s, %s left", fraction * 100, count,
                   progress->unit, rate, fraction > 0 ? left : "?");
    /* A line that fills the terminal goes on in the next one, where nothing clears it. */
    const size_t width = weir_terminal_width(stderr) - 1;
    const size_t rest = strlen(progress->doing) + strlen(text) + 4;
    bar_format(fraction, width > rest ? width - rest : 0, bar);
    char line[300];
    const int n = snprintf(line, sizeof line, "%s %s%s", progress->doing, bar, text);
    (void)fprintf(stderr, "\r\033[K%.*s", n < (int)width ? n : (int)width, line);
    (void)fflush(stderr);
    progress->drawn = true;
    progress->drawn_us = now;
}

void weir_progress_end(weir_progress *progress)
{
    if (progress->drawn)
        (void)fputs("\r\033[K", stderr);
    (void)fflush(stderr);
    progress->shows = progress->drawn = false;
}
