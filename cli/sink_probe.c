/* SPDX-License-Identifier: MIT */
/* Trying a sink of the configuration: what `weir sink test` and `weir check --live` do. */

#include "cli/sink_probe.h"

#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "runtime/clock.h"

static weir_mono probe_now(void *data)
{
    (void)data;
    return weir_system_mono();
}

static weir_wall probe_wall(void *data)
{
    (void)data;
    return weir_system_wall();
}

/* Ctrl-C ends the program as it stands: what a test writes is taken back by the other side. */
static bool probe_is_ending(void *data)
{
    (void)data;
    return false;
}

static void probe_log(void *data, weir_log_level level, const char *event, const char *text)
{
    const weir_sink_config *config = data;
    (void)level;
    (void)fprintf(stderr, "%s: %s: %s\n", config->name, event, text);
}

static weir_sink_host probe_host(const weir_sink_config *config)
{
    return (weir_sink_host){
        .data = (void *)(uintptr_t)config, /* probe_log only reads it */
        .name = config->name,
        .store = "00000000-0000-0000-0000-000000000000", /* a test's row is of no store */
        .program = "weir/" WEIR_VERSION,
        .seed = (uint64_t)weir_system_wall().us ^ (uint64_t)getpid() << 40,
        .now = probe_now,
        .wall = probe_wall,
        .is_ending = probe_is_ending,
        .log = probe_log,
    };
}

/* Returns how long it took. */
static int64_t probe_run(const weir_sink_config *config, void *state, int64_t timeout_us,
                         weir_sink_test *ret)
{
    weir_error error = WEIR_ERROR_INIT;
    const weir_sink_host host = probe_host(config);
    const weir_mono began = weir_system_mono();
    if (config->type->init(state, &host, config->options, &error) == WEIR_OK) {
        config->type->test(state, (weir_mono){began.us + timeout_us}, ret);
    } else {
        ret->answer =
            (weir_send_answer){.result = WEIR_SEND_LATER, .trouble = WEIR_TROUBLE_MISCONFIGURED};
        (void)snprintf(ret->answer.why, sizeof ret->answer.why, "%.255s", error.text);
    }
    config->type->deinit(state);
    return weir_system_mono().us - began.us;
}

static weir_exit probe_exit(const weir_send_answer *answer, bool silent)
{
    if (answer->result == WEIR_SEND_DELIVERED)
        return WEIR_EXIT_OK;
    switch (answer->trouble) {
    case WEIR_TROUBLE_OFFLINE:
        return silent ? WEIR_EXIT_TIMEOUT : WEIR_EXIT_CONNECT;
    case WEIR_TROUBLE_REFUSED:
    case WEIR_TROUBLE_MISCONFIGURED:
    case WEIR_TROUBLE_BUSY:
    case WEIR_TROUBLE_FULL:
        return WEIR_EXIT_REFUSED;
    case WEIR_TROUBLE_NONE:
        break;
    }
    return answer->result == WEIR_SEND_LATER ? WEIR_EXIT_FAILURE : WEIR_EXIT_REFUSED;
}

/* What to do where the type has nothing better to say. */
static const char *default_remedy(const weir_send_answer *answer)
{
    switch (answer->trouble) {
    case WEIR_TROUBLE_BUSY:
        return "weir tries again by itself; or later, by hand:";
    case WEIR_TROUBLE_FULL:
        return "make room there, then:";
    case WEIR_TROUBLE_OFFLINE:
        return "is it running, and is the address right? Then:";
    case WEIR_TROUBLE_REFUSED:
    case WEIR_TROUBLE_MISCONFIGURED:
        return "see the log of the other side, then:";
    case WEIR_TROUBLE_NONE:
        break;
    }
    return answer->result == WEIR_SEND_TOO_LARGE
               ? "raise what the other side, or a proxy before it, takes in one request, then:"
               : "see the log of the other side, then:";
}

weir_exit weir_sink_probe(const weir_sink_config *config, int64_t timeout_us, weir_sink_test *ret)
{
    *ret = (weir_sink_test){.answer.result = WEIR_SEND_LATER};
    void *state = weir_alloc_zero(1, config->type->state_size);
    if (!state) {
        (void)snprintf(ret->answer.why, sizeof ret->answer.why, "out of memory");
        return WEIR_EXIT_FAILURE;
    }
    const int64_t took_us = probe_run(config, state, timeout_us, ret);
    weir_free(state);
    if (ret->latency_us == 0)
        ret->latency_us = took_us;
    const weir_exit code = probe_exit(&ret->answer, took_us >= timeout_us);
    if (code != WEIR_EXIT_OK && !ret->answer.remedy[0])
        (void)snprintf(ret->answer.remedy, sizeof ret->answer.remedy, "%s weir sink test %.128s",
                       default_remedy(&ret->answer), config->name);
    return code;
}

const char *weir_sink_probe_word(const weir_sink_test *test)
{
    switch (test->answer.result) {
    case WEIR_SEND_DELIVERED:
        return "ok";
    case WEIR_SEND_REJECTED:
        return "rejected";
    case WEIR_SEND_TOO_LARGE:
        return "too_large";
    case WEIR_SEND_LATER:
        break;
    }
    return test->answer.trouble == WEIR_TROUBLE_NONE ? "failed"
                                                     : weir_trouble_text(test->answer.trouble);
}
