/* SPDX-License-Identifier: MIT */
/* The one place where everything meets: configuration, sources, collector, control socket. */

#include "daemon/assemble.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "catalog/yaml.h"
#include "daemon/log.h"
#include "daemon/problems.h"
#include "sinks/module.h"
#include "sources/modbus/modbus.h"
#include "sources/random/random.h"
#include "sources/simulated/simulated.h"
#include "store/file/zonefile.h"

const weir_source_type *const weir_assemble_sources[] = {
    &weir_source_modbus,
    &weir_source_simulated,
    &weir_source_random,
    NULL,
};

const char *weir_assemble_config_path(const char *config)
{
    static const char *const places[] = {"weir.yaml", "/etc/weir/weir.yaml"};
    if (config)
        return config;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (access(places[i], F_OK) == 0)
            return places[i];
    return NULL;
}

weir_err weir_assemble_yaml(weir_arena *arena, weir_yaml_options *ret)
{
    *ret = (weir_yaml_options){
        .sink_type = weir_sink_type_find, .databases = true, .zone = weir_zone_open};
    return weir_yaml_default_dirs(arena, ret);
}

/* config.db alone is a configuration too. */
static bool has_config_db(const weir_yaml_options *yaml)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/config.db",
                   yaml->data_dir ? yaml->data_dir : "./weir-data");
    return yaml->databases && access(path, F_OK) == 0;
}

weir_err weir_assemble_parse(const char *config, const weir_yaml_options *yaml, weir_catalog **ret,
                             weir_problems *problems, const char **ret_name, weir_error *error)
{
    const char *path = weir_assemble_config_path(config);
    if (!path && !has_config_db(yaml))
        return weir_fail(error, WEIR_ENOTFOUND,
                         "no configuration: neither ./weir.yaml nor /etc/weir/weir.yaml is there. "
                         "Name one with -c FILE, or make one with 'weir init'");
    *ret_name = path ? path : "config.db";
    weir_err err = path ? weir_yaml_load(path, yaml, ret, problems)
                        : weir_yaml_load_text("{}", 2, "config.db", yaml, ret, problems);
    return err ? weir_problems_describe(problems, err, *ret_name, error) : WEIR_OK;
}

static weir_err load(const weir_assemble_options *options, weir_catalog **ret,
                     weir_problems *problems, weir_error *error)
{
    const char *name;
    weir_yaml_options yaml = {0};
    WEIR_CLEANUP(weir_arena_free) weir_arena *arena = weir_arena_new();
    if (!arena || weir_assemble_yaml(arena, &yaml))
        return weir_fail(error, WEIR_ENOMEM, "the configuration");
    if (options->without_sinks)
        yaml.sink_type = NULL;
    yaml.databases = !options->without_databases;
    yaml.providers = options->providers;
    yaml.data_dir = options->data_dir;
    return weir_assemble_parse(options->config, &yaml, ret, problems, &name, error);
}

weir_err weir_assemble_read(const weir_assemble_options *options, weir_catalog **ret,
                            weir_problems *problems, weir_error *error)
{
    weir_catalog *catalog = NULL;
    weir_err err = load(options, &catalog, problems, error);
    if (err)
        return err;
    if (options->data_dir) {
        catalog->store.data_dir = weir_arena_text(catalog->arena, options->data_dir);
        if (!catalog->store.data_dir) {
            weir_catalog_free(catalog);
            return weir_fail(error, WEIR_ENOMEM, "the data directory's name");
        }
    }
    if (options->verbose)
        catalog->log_level = WEIR_LOG_DEBUG;
    *ret = catalog;
    return WEIR_OK;
}

weir_err weir_assemble_load(const weir_assemble_options *options, weir_catalog **ret,
                            weir_error *error)
{
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_err err = weir_assemble_read(options, ret, &problems, error);
    if (err)
        weir_problems_print(&problems);
    else
        weir_log_set((*ret)->log_level, (*ret)->log_format);
    weir_problems_deinit(&problems);
    return err;
}

weir_wall weir_assemble_built(void)
{
    weir_wall built = {0};
    if (weir_wall_parse(WEIR_BUILD_DATE, &built))
        built.us -= WEIR_DAY; /* built today on a machine whose clock is a little ahead */
    return built;
}

/* Under nohup SIGHUP is ignored, and stays so: blocked, it would be taken by weir_signal_wait. */
static bool ignores_hangup(void)
{
    struct sigaction action;
    return sigaction(SIGHUP, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static sigset_t ending_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    if (!ignores_hangup())
        (void)sigaddset(&set, SIGHUP);
    return set;
}

void weir_signal_block(void)
{
    const sigset_t set = ending_signals();
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int weir_signal_wait(int64_t timeout_us)
{
    const sigset_t set = ending_signals();
    const struct timespec timeout = {timeout_us / WEIR_S, timeout_us % WEIR_S * 1000};
    int signal;
    do
        signal = timeout_us < 0 ? sigwaitinfo(&set, NULL) : sigtimedwait(&set, NULL, &timeout);
    while (signal < 0 && errno == EINTR);
    return signal > 0 ? signal : 0;
}
