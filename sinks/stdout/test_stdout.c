/* SPDX-License-Identifier: MIT */
/* Tests of the sink stdout, whose standard output is a pipe. */

#include "sinks/stdout/stdout.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"

static int pipe_fds[2], real_stdout;
static bool is_ending;
static weir_mono now = {1000};

static weir_mono host_now(void *data)
{
    (void)data;
    now.us += 1000;
    return now;
}

static bool host_is_ending(void *data)
{
    (void)data;
    return is_ending;
}

static const weir_sink_host host = {.now = host_now, .is_ending = host_is_ending};

static void pipe_open(void)
{
    assert_int_equal(pipe(pipe_fds), 0);
    real_stdout = dup(STDOUT_FILENO);
    assert_int_equal(dup2(pipe_fds[1], STDOUT_FILENO), STDOUT_FILENO);
    (void)close(pipe_fds[1]);
}

static void pipe_end(void)
{
    (void)dup2(real_stdout, STDOUT_FILENO);
    (void)close(real_stdout);
}

static weir_send_answer send_rows(const weir_sink_row *rows, size_t n)
{
    weir_send_answer answer;
    weir_error error = WEIR_ERROR_INIT;
    void *state = weir_alloc_zero(1, weir_sink_stdout.state_size);
    const weir_err err = weir_sink_stdout.init(state, &host, NULL, &error);
    weir_sink_stdout.send(state, rows, n, weir_mono_add(now, WEIR_S), &answer);
    weir_sink_stdout.deinit(state);
    weir_free(state);
    assert_int_equal(err, WEIR_OK);
    return answer;
}

static const weir_sink_tag tag = {.name = "m1/\"power\"", .device = "m1", .unit = "kW"};
static const weir_sink_tag plain = {.name = "m1/on", .device = "m1", .unit = ""};

static void each_sample_is_a_line_with_the_keys_of_export(void **state)
{
    char text[1000] = "";
    const weir_sink_row rows[] = {
        {.tag = &tag, .sample = {1, 0, {0}, weir_value_f64(0.1)}},
        {.tag = &plain,
         .sample = {2, weir_bad(WEIR_CAUSE_TIMEOUT, 0), {WEIR_S}, weir_value_null()},
         .epoch = 2},
    };
    (void)state;
    pipe_open();
    const weir_send_answer answer = send_rows(rows, 2);
    const ssize_t n = read(pipe_fds[0], text, sizeof text - 1);
    pipe_end();
    (void)close(pipe_fds[0]);
    assert_int_equal(answer.result, WEIR_SEND_DELIVERED);
    assert_true(n > 0);
    assert_string_equal(text,
                        "{\"time\":\"1970-01-01T00:00:00.000000Z\",\"tag\":\"m1/\\\"power\\\"\","
                        "\"value\":0.1,\"unit\":\"kW\",\"quality\":\"good\"}\n"
                        "{\"time\":\"1970-01-01T00:00:01.000000Z\",\"tag\":\"m1/on\","
                        "\"value\":null,\"quality\":\"bad\",\"cause\":\"timeout\",\"epoch\":2}\n");
}

static void a_reader_that_is_slow_or_gone_is_an_outage_and_not_an_end(void **state)
{
    static weir_sink_row rows[2000]; /* more than a pipe holds */
    (void)state;
    for (size_t i = 0; i < 2000; i++)
        rows[i] = (weir_sink_row){.tag = &tag, .sample = {1, 0, {0}, weir_value_f64(0.1)}};
    (void)signal(SIGPIPE, SIG_IGN);
    pipe_open();
    is_ending = true;
    const weir_send_answer slow = send_rows(rows, 2000);
    is_ending = false;
    (void)close(pipe_fds[0]);
    const weir_send_answer gone = send_rows(rows, 1);
    pipe_end();
    assert_int_equal(slow.result, WEIR_SEND_LATER);
    assert_string_equal(slow.why, "nobody reads standard output");
    assert_int_equal(gone.result, WEIR_SEND_LATER);
    assert_string_equal(gone.why, "standard output: Broken pipe");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_sample_is_a_line_with_the_keys_of_export),
        cmocka_unit_test(a_reader_that_is_slow_or_gone_is_an_outage_and_not_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
