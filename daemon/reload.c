/* SPDX-License-Identifier: MIT */
/* Reading the configuration again while weir runs. */

#include "daemon/reload.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "catalog/provider.h"
#include "daemon/log.h"
#include "daemon/problems.h"
#include "runtime/clock.h"

/* Whoever writes a file often does so in several steps: it is left alone for so long first. */
static const int64_t settle_us = 200 * WEIR_MS;

/* How often that is waited for. Somebody who writes a file again and again shall not be obeyed
 * never. */
enum { SETTLES_MAX = 15, LOADS_MAX = 4 };

struct weir_reload {
    weir_reload_config config;
    pthread_t thread;
    bool started;
    pthread_mutex_t loading; /* held while a configuration is read and applied, or asked for */
    pthread_mutex_t lock;    /* of what follows */
    pthread_cond_t changed;
    bool ending;
};

/* ---- what is said ---- */

static void tell(weir_reload *r, weir_log_level level, const char *text)
{
    const weir_event event = {weir_system_wall(), WEIR_EVENT_CONFIG, "", text};
    const weir_err err =
        weir_postbox_event(weir_runtime_postbox(r->config.runtime), &event, true, NULL);
    weir_log_line(level, err ? "config_without_event" : "config", "", text);
}

static void tell_problems(const weir_problems *problems)
{
    for (size_t i = 0; i < problems->n && i < WEIR_PROBLEMS_SHOWN; i++) {
        WEIR_TEXT_AUTO line = WEIR_TEXT_INIT;
        weir_problem_format(&problems->items[i], &line);
        weir_log_line(WEIR_LOG_ERROR, "config_problem", "", weir_text_get(&line));
    }
}

static void tell_refused(weir_reload *r, const char *who, const weir_problems *problems,
                         const weir_error *error)
{
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    weir_text_format(&text, "%s: refused, the configuration in force goes on: %s", who,
                     error->text);
    if (problems->n) {
        weir_text_add(&text, "; the first: ");
        weir_problem_format(&problems->items[0], &text);
    }
    tell_problems(problems);
    tell(r, WEIR_LOG_ERROR, weir_text_get(&text));
}

/* What the event of the exchange does not say. */
static void tell_applied(const char *who, const weir_reloaded *ret)
{
    const weir_diff *diff = ret->applied.diff;
    if (weir_diff_is_empty(diff))
        weir_log_line(WEIR_LOG_INFO, "config", "", "read again: nothing is different");
    for (size_t i = 0; i < diff->n_hints; i++) {
        WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
        weir_diff_describe_hint(diff, &diff->hints[i], &text);
        weir_log_line(WEIR_LOG_WARNING, "config_hint", "", weir_text_get(&text));
    }
    if (*ret->restart) {
        char text[160];
        (void)snprintf(text, sizeof text, "%s: %s needs a restart to take effect", who,
                       ret->restart);
        weir_log_line(WEIR_LOG_WARNING, "config_restart", "", text);
    }
}

/* ---- waiting ---- */

/* False: the end. */
static bool reload_sleep(weir_reload *r, int64_t us)
{
    const int64_t until = weir_system_mono().us + us;
    const struct timespec at = {until / WEIR_S, until % WEIR_S * 1000};
    int status = 0;
    (void)pthread_mutex_lock(&r->lock);
    while (!r->ending && status == 0)
        status = pthread_cond_timedwait(&r->changed, &r->lock, &at);
    const bool go_on = !r->ending;
    (void)pthread_mutex_unlock(&r->lock);
    return go_on;
}

/* Until the files are left alone. False: the end. */
static bool reload_settle(weir_reload *r)
{
    weir_providers *providers = r->config.assemble.providers;
    bool settled = weir_providers_settled(providers);
    for (int i = 0; i < SETTLES_MAX && (i == 0 || !settled); i++) {
        if (!reload_sleep(r, settle_us))
            return false;
        settled = weir_providers_settled(providers);
    }
    return true;
}

/* ---- loading ---- */

/* A setting that needs a restart stays as it is in the catalog too: else the next load would find
 * no difference to tell. */
static weir_err catalog_keep(const weir_catalog *older, weir_catalog *newer, char restart[64])
{
    weir_text names = WEIR_TEXT_INIT;
    weir_err err = WEIR_OK;
    if (strcmp(older->store.data_dir, newer->store.data_dir) != 0) {
        weir_text_add(&names, "data_dir");
        newer->store.data_dir = weir_arena_text(newer->arena, older->store.data_dir);
        err = newer->store.data_dir ? WEIR_OK : WEIR_ENOMEM;
    }
    if (older->clock_rule != newer->clock_rule) {
        weir_text_add(&names, names.length ? ", clock.trust" : "clock.trust");
        newer->clock_rule = older->clock_rule;
    }
    (void)snprintf(restart, 64, "%s", weir_text_get(&names));
    weir_text_deinit(&names);
    return err;
}

static weir_err reload_apply(weir_reload *r, const char *who, weir_catalog *catalog,
                             weir_reloaded *ret, weir_error *error)
{
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *older = weir_runtime_catalog(r->config.runtime);
    if (catalog_keep(older, catalog, ret->restart))
        return weir_fail(error, WEIR_ENOMEM, "the configuration");
    weir_err err = weir_runtime_apply(r->config.runtime, catalog, who, &ret->applied, error);
    if (err)
        return err;
    weir_log_set(catalog->log_level, catalog->log_format);
    if (r->config.deliveries && !weir_diff_is_empty(ret->applied.diff))
        err = weir_deliveries_apply(r->config.deliveries, ret->applied.diff, error);
    return err;
}

/* Whether what was read is of files that somebody is replacing. patient: also whether they are
 * replaced in a moment, such as one that an editor has moved away. */
static bool reload_is_stale(weir_reload *r, bool patient)
{
    return (!patient || reload_sleep(r, settle_us)) &&
           weir_providers_moved(r->config.assemble.providers);
}

/* What a load found while a file was being replaced is neither used nor told. */
static weir_err reload_load(weir_reload *r, const char *who, bool patient, weir_reloaded *ret,
                            weir_error *error)
{
    weir_catalog *catalog = NULL;
    weir_err err = weir_assemble_read(&r->config.assemble, &catalog, &ret->problems, error);
    for (int i = 1; i < LOADS_MAX && reload_is_stale(r, patient); i++) {
        weir_catalog_free(catalog);
        catalog = NULL;
        weir_problems_deinit(&ret->problems);
        (void)reload_settle(r);
        err = weir_assemble_read(&r->config.assemble, &catalog, &ret->problems, error);
    }
    if (!err)
        err = reload_apply(r, who, catalog, ret, error);
    weir_catalog_free(catalog);
    return err;
}

static weir_err reload_do(weir_reload *reload, const char *who, bool patient, weir_reloaded *ret,
                          weir_error *error)
{
    weir_error own = WEIR_ERROR_INIT;
    weir_reloaded reloaded = {.problems = WEIR_PROBLEMS_INIT};
    (void)pthread_mutex_lock(&reload->loading);
    weir_err err = reload_load(reload, who, patient, &reloaded, &own);
    if (err)
        tell_refused(reload, who, &reloaded.problems, &own);
    else
        tell_applied(who, &reloaded);
    (void)pthread_mutex_unlock(&reload->loading);
    if (ret)
        *ret = reloaded;
    else
        weir_reloaded_deinit(&reloaded);
    return err ? weir_fail(error, err, "%s", own.text) : WEIR_OK;
}

weir_err weir_reload_now(weir_reload *reload, const char *who, weir_reloaded *ret,
                         weir_error *error)
{
    return reload_do(reload, who, false, ret, error);
}

void weir_reloaded_deinit(weir_reloaded *reloaded)
{
    weir_problems_deinit(&reloaded->problems);
    weir_applied_deinit(&reloaded->applied);
}

/* ---- the thread ---- */

static bool reload_poll(weir_reload *r, char trouble[256])
{
    weir_providers *providers = r->config.assemble.providers;
    (void)pthread_mutex_lock(&r->loading);
    const bool changed = weir_providers_poll(providers, r->config.watch, weir_system_mono());
    const char *now = weir_providers_trouble(providers);
    const bool is_other = strncmp(now, trouble, 255) != 0;
    if (is_other)
        (void)snprintf(trouble, 256, "%s", now);
    (void)pthread_mutex_unlock(&r->loading);
    if (is_other)
        weir_log_line(*trouble ? WEIR_LOG_WARNING : WEIR_LOG_NOTICE, "config_database", "",
                      *trouble ? trouble : "the catalog's databases answer again");
    return changed;
}

/* Together with what a writer is left alone for, before and after reading, a change is in force
 * within reload_interval. */
static int64_t reload_pause(weir_reload *r)
{
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *catalog = weir_runtime_catalog(r->config.runtime);
    const int64_t interval = catalog->reload_interval_us ? catalog->reload_interval_us : WEIR_S;
    return interval > 3 * settle_us ? interval - 2 * settle_us : settle_us;
}

/* providers are for one thread at a time. */
static bool reload_wait(weir_reload *r)
{
    (void)pthread_mutex_lock(&r->loading);
    const bool go_on = reload_settle(r);
    (void)pthread_mutex_unlock(&r->loading);
    return go_on;
}

static void *reload_main(void *data)
{
    weir_reload *r = data;
    char trouble[256] = "";
    while (reload_sleep(r, reload_pause(r))) {
        if (!reload_poll(r, trouble) || !reload_wait(r))
            continue;
        const weir_err err = reload_do(r, "a changed configuration", true, NULL, NULL);
        (void)err; /* said so */
    }
    return NULL;
}

weir_err weir_reload_new(const weir_reload_config *config, weir_reload **ret, weir_error *error)
{
    sigset_t every, old;
    pthread_condattr_t attributes;
    weir_reload *r = weir_alloc_zero(1, sizeof *r);
    if (!r)
        return weir_fail(error, WEIR_ENOMEM, "reading the configuration again");
    r->config = *config;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&r->loading, NULL);
    (void)pthread_mutex_init(&r->lock, NULL);
    (void)pthread_cond_init(&r->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)sigfillset(&every);
    (void)pthread_sigmask(SIG_SETMASK, &every, &old);
    r->started = pthread_create(&r->thread, NULL, reload_main, r) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!r->started) {
        weir_reload_free(r);
        return weir_fail(error, WEIR_ENOMEM, "cannot start the thread of the configuration");
    }
    (void)pthread_setname_np(r->thread, "weir-config");
    *ret = r;
    return WEIR_OK;
}

void weir_reload_free(weir_reload *r)
{
    if (!r)
        return;
    (void)pthread_mutex_lock(&r->lock);
    r->ending = true;
    (void)pthread_cond_broadcast(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
    if (r->started)
        (void)pthread_join(r->thread, NULL);
    (void)pthread_cond_destroy(&r->changed);
    (void)pthread_mutex_destroy(&r->lock);
    (void)pthread_mutex_destroy(&r->loading);
    weir_free(r);
}
