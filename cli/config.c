/* SPDX-License-Identifier: MIT */
/* weir config: what a configuration comes to, and the schema of its file. */

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "catalog/effective.h"
#include "catalog/yaml.h"
#include "cli/commands.h"
#include "cli/config_text.h"
#include "cli/schema.h"
#include "daemon/assemble.h"
#include "daemon/problems.h"

enum { FORMAT_YAML, FORMAT_JSON };

struct config_options {
    const char *config, *data_dir;
    bool origin;
    int format;
    weir_option_strings env_files;
};

static const char *const format_words[] = {"yaml", "json", NULL};

static const weir_option config_option_table[] = {
    {.name = "config",
     .letter = 'c',
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct config_options, config),
     .metavar = "FILE",
     .text = "The configuration. Without it ./weir.yaml, then /etc/weir/weir.yaml."},
    WEIR_ENV_FILE_OPTION(struct config_options),
    {.name = "data-dir",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct config_options, data_dir),
     .metavar = "DIR",
     .text = "show: as if weir ran with this data directory."},
    {.name = "origin",
     .letter = 'o',
     .type = WEIR_OPTION_BOOL,
     .offset = offsetof(struct config_options, origin),
     .text = "show: tells of each value where it is from: file and line, a profile, the command "
             "line, or the default."},
    {.name = "format",
     .type = WEIR_OPTION_ENUM,
     .offset = offsetof(struct config_options, format),
     .words = format_words,
     .fallback = "yaml",
     .text = "show: how it is written."},
    {0}};

/* ---- show ---- */

static weir_err effective_load(const weir_invocation *in, weir_effective *e, weir_error *error)
{
    const struct config_options *options = in->options;
    const char *name;
    weir_problems problems = WEIR_PROBLEMS_INIT;
    weir_yaml_options yaml = {0};
    WEIR_CLEANUP(weir_catalog_free) weir_catalog *catalog = NULL;
    if (weir_assemble_yaml(in->arena, &yaml))
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    yaml.effective = e;
    yaml.data_dir = options->data_dir;
    weir_err err = weir_assemble_parse(options->config, &yaml, &catalog, &problems, &name, error);
    if (err)
        weir_problems_print(&problems);
    weir_problems_deinit(&problems);
    if (options->data_dir)
        weir_effective_set(e, weir_effective_root(e), "data_dir", options->data_dir,
                           "command line");
    return err;
}

static weir_err part_fail(const weir_effective_value *value, const char *word, weir_error *error)
{
    enum { NAMES_MAX = 256 };
    const char *names[NAMES_MAX];
    size_t n = 0;
    for (const weir_effective_value *v = value->first; v && n < NAMES_MAX; v = v->next) {
        const weir_effective_value *name =
            v->key || v->kind != WEIR_NODE_MAPPING ? NULL : weir_effective_get(v, "name");
        if (v->key || name)
            names[n++] = v->key ? v->key : name->text;
    }
    const char *near = weir_text_nearest(word, names, n);
    return weir_fail(error, WEIR_EINVAL, "there is no '%.100s' in %.100s%s%s%s", word,
                     value->key ? value->key : "the configuration", near ? ": did you mean '" : "",
                     near ? near : "", near ? "'?" : "");
}

/* "devices/main-meter/points/power": names and keys hold no slash. */
static weir_err part_find(const weir_invocation *in, const char *path, weir_effective_value *root,
                          weir_effective_value **ret, weir_error *error)
{
    weir_effective_value *value = root;
    while (*path) {
        const size_t n = strcspn(path, "/");
        const char *word = weir_arena_text_n(in->arena, path, n);
        if (!word)
            return weir_fail(error, WEIR_ENOMEM, "out of memory");
        weir_effective_value *child = *word ? weir_effective_get(value, word) : value;
        if (!child)
            return part_fail(value, word, error);
        value = child;
        path += n + (path[n] == '/');
    }
    *ret = value;
    return WEIR_OK;
}

static weir_err config_show(const weir_invocation *in, weir_error *error)
{
    const struct config_options *options = in->options;
    weir_effective_value *value = NULL;
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    WEIR_CLEANUP(weir_effective_free) weir_effective *e = weir_effective_new();
    if (!e)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    weir_err err = effective_load(in, e, error);
    if (!err)
        err =
            part_find(in, in->n_args > 1 ? in->args[1] : "", weir_effective_root(e), &value, error);
    if (err)
        return err;
    if (options->format == FORMAT_JSON)
        weir_config_json(value, options->origin, &text);
    else
        weir_config_yaml(value, options->origin, &text);
    if (text.failed || weir_effective_failed(e))
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    (void)fputs(weir_text_get(&text), stdout);
    return WEIR_OK;
}

/* ---- schema ---- */

static weir_err config_schema(const weir_invocation *in, weir_error *error)
{
    const char *of = in->n_args > 1 ? in->args[1] : "config";
    const bool profile = !strcmp(of, "profile");
    if (!profile && strcmp(of, "config") != 0)
        return weir_fail(error, WEIR_EINVAL,
                         "there is a schema of config and one of profile, none "
                         "of '%.100s'",
                         of);
    json_t *schema = weir_schema_make(profile);
    const int failed = schema ? json_dumpf(schema, stdout, JSON_INDENT(1)) : -1;
    json_decref(schema);
    if (failed)
        return weir_fail(error, WEIR_ENOMEM, "cannot write the schema");
    (void)fputc('\n', stdout);
    return WEIR_OK;
}

/* ---- the command ---- */

static int config_run(const weir_invocation *in)
{
    weir_error error = WEIR_ERROR_INIT;
    weir_err err = WEIR_OK;
    if (!strcmp(in->args[0], "show"))
        err = config_show(in, &error);
    else if (!strcmp(in->args[0], "schema"))
        err = config_schema(in, &error);
    else
        return weir_command_usage(in, "'%s' is neither show nor schema", in->args[0]);
    if (err == WEIR_EINVAL)
        return weir_command_usage(in, "%s", error.text);
    if (err == WEIR_OK)
        return WEIR_EXIT_OK;
    const int code = weir_command_fail(in, &error);
    /* As weir check has it: what is not there is a wrong configuration to whoever asks. */
    return err == WEIR_ENOTFOUND ? WEIR_EXIT_CONFIG : code;
}

static const weir_example config_examples[] = {
    {"weir config show", "everything that counts, defaults included"},
    {"weir config show --origin devices/main-meter",
     "of one device, with where each value is from"},
    {"weir config show --format json", "the same for programs"},
    {"weir config schema > weir.schema.json",
     "a JSON schema, with which editors complete and check"},
    {0}};

const weir_command weir_command_config = {
    .name = "config",
    .summary = "show what a configuration comes to and where values are from; its schema",
    .arguments = "show|schema [PART]",
    .args_min = 1,
    .args_max = 2,
    .options = config_option_table,
    .options_size = sizeof(struct config_options),
    .examples = config_examples,
    .text =
        "show [PART]: the configuration as weir takes it: with what is included, with what "
        "profiles and defaults give, as YAML that means the same. PART is a key or name, or "
        "several with slashes between: store, connections/boiler-room, "
        "devices/main-meter/points/power. Secrets are shown as ***, unless they are written as "
        "\"${NAME}\".\n\n"
        "With --origin each value is followed by the place it is from: FILE:LINE, profile "
        "FILE:LINE, a database's table and row, command line, or default; and by the variable, "
        "\"${NAME}\", and the environment file it came from. What databases and "
        "config.db give is shown as if it stood in the file.\n\n"
        "schema [config|profile]: a JSON schema (draft 7) of weir.yaml, or of a profile, for "
        "editors. It is installed as share/weir/weir.schema.json and weir-profile.schema.json. "
        "With yaml-language-server (VS Code, Neovim, Emacs ...) the first line of the file names "
        "it: # yaml-language-server: $schema=/usr/share/weir/weir.schema.json. `weir init` writes "
        "that line. What several keys say together only weir check knows.",
    .run = config_run,
};
