/* SPDX-License-Identifier: MIT */
/* Tests of the log: its two forms, and a stderr that nobody reads. */

#include "daemon/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"

/* stderr as a pipe: what is written there can be read here, or not. */
struct pipe_end {
    int saved, reader;
};

static struct pipe_end stderr_take(void)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    const struct pipe_end p = {dup(STDERR_FILENO), fds[0]};
    assert_true(p.saved >= 0);
    (void)dup2(fds[1], STDERR_FILENO);
    (void)close(fds[1]);
    return p;
}

static void stderr_give_back(struct pipe_end p)
{
    (void)dup2(p.saved, STDERR_FILENO);
    (void)close(p.saved);
    (void)close(p.reader);
}

static void read_all(struct pipe_end p, weir_text *ret)
{
    char bytes[4096];
    weir_text_clear(ret);
    for (ssize_t n; (n = read(p.reader, bytes, sizeof bytes)) > 0;)
        weir_text_add_n(ret, bytes, (size_t)n);
}

static void a_line_says_level_event_subject_and_text(void **state)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    (void)state;
    const struct pipe_end p = stderr_take();
    weir_log_set(WEIR_LOG_NOTICE, WEIR_LOG_FORMAT_TEXT);
    weir_log_line(WEIR_LOG_WARNING, "device_down", "m07", "said \"no\"\nand left");
    weir_log_line(WEIR_LOG_INFO, "not", "", "of this level");
    read_all(p, &text);
    stderr_give_back(p);
    assert_string_equal(text.text,
                        "warning device_down subject=m07 text=\"said \\\"no\\\"\\nand left\"\n");
}

static void as_json_it_has_the_time_too(void **state)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    (void)state;
    const struct pipe_end p = stderr_take();
    weir_log_set(WEIR_LOG_INFO, WEIR_LOG_FORMAT_JSON);
    weir_log_line(WEIR_LOG_INFO, "started", "", "here");
    read_all(p, &text);
    stderr_give_back(p);
    assert_int_equal(strncmp(text.text, "{\"time\": \"20", 12), 0);
    assert_non_null(
        strstr(text.text, "\"level\": \"info\", \"event\": \"started\", \"text\": \"here\"}\n"));
}

static void a_stderr_that_nobody_reads_stops_nothing_and_the_loss_is_told(void **state)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    unsigned long lost = 0, written = 0;
    (void)state;
    const struct pipe_end p = stderr_take();
    weir_log_set(WEIR_LOG_INFO, WEIR_LOG_FORMAT_TEXT);
    for (int i = 0; i < 5000; i++) /* 64 KiB is what a pipe holds */
        weir_log_line(WEIR_LOG_INFO, "event", "", "a line of some length, as lines are");
    read_all(p, &text);
    for (const char *at = text.text; (at = strchr(at, '\n')); at++)
        written++;
    weir_log_line(WEIR_LOG_INFO, "after", "", "somebody reads again");
    read_all(p, &text);
    stderr_give_back(p);
    assert_true(written > 100 && written < 5000);
    assert_int_equal(sscanf(text.text, "warning log_lost text=\"%lu lines", &lost), 1);
    assert_int_equal(lost, 5000 - written);
    assert_non_null(strstr(text.text, "\ninfo after text="));
}

static void a_reader_that_is_gone_stops_nothing(void **state)
{
    (void)state;
    struct pipe_end p = stderr_take();
    (void)close(p.reader);
    p.reader = -1;
    weir_log_line(WEIR_LOG_INFO, "event", "", "to nobody"); /* SIGPIPE is ignored, as in weir */
    stderr_give_back(p);
    const int saved = dup(STDERR_FILENO);
    (void)close(STDERR_FILENO);
    weir_log_line(WEIR_LOG_INFO, "event", "", "to nothing");
    (void)dup2(saved, STDERR_FILENO);
    (void)close(saved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_says_level_event_subject_and_text),
        cmocka_unit_test(as_json_it_has_the_time_too),
        cmocka_unit_test(a_stderr_that_nobody_reads_stops_nothing_and_the_loss_is_told),
        cmocka_unit_test(a_reader_that_is_gone_stops_nothing),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
