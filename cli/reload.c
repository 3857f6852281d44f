/* SPDX-License-Identifier: MIT */
/* weir reload: the running weir reads its configuration again. */

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/edit.h"
#include "cli/output.h"
#include "daemon/control_ask.h"

struct reload_options {
    struct weir_edit_options place;
    int format;
};

static const weir_option reload_option_table[] = {
    WEIR_EDIT_OPTIONS(struct reload_options), WEIR_FORMAT_OPTION(struct reload_options), {0}};

enum { RELOAD_PATIENCE_S = 60 }; /* a commit on a slow disk comes first, and databases may hang */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* All of them, as `weir check` says them. */
static int say_refused(const weir_invocation *in, const json_t *answer)
{
    const json_int_t code = json_integer_value(json_object_get(answer, "code"));
    const json_t *problems = json_object_get(answer, "problems");
    const json_int_t n = json_integer_value(json_object_get(answer, "problem_count"));
    const char *text = text_of(answer, "error");
    weir_error error = WEIR_ERROR_INIT;
    for (size_t i = 0; i < json_array_size(problems); i++)
        (void)fprintf(stderr, "%s\n", json_string_value(json_array_get(problems, i)));
    if (n > (json_int_t)json_array_size(problems))
        (void)fprintf(stderr, "and %lld more, which are not shown\n",
                      (long long)(n - (json_int_t)json_array_size(problems)));
    const weir_err err = weir_fail(&error, code > 0 ? (weir_err)code : WEIR_EPROTO, "%s%s",
                                   *text ? text : "weir's answer cannot be read",
                                   code > 0 ? ": the configuration in force goes on" : "");
    const int exit = weir_command_fail(in, &error);
    return err == WEIR_ENOTFOUND ? WEIR_EXIT_CONFIG : exit;
}

static bool show_changes(const json_t *changes, weir_format format)
{
    static const char *const columns[] = {"kind", "name", "change", "detail"};
    WEIR_CLEANUP(weir_output_end)
    weir_output *output = weir_output_new(stdout, format, columns, 4);
    bool good = output != NULL;
    for (size_t i = 0; good && i < json_array_size(changes); i++) {
        const json_t *change = json_array_get(changes, i);
        weir_value row[4];
        for (size_t k = 0; k < 4; k++) {
            const char *text = text_of(change, columns[k]);
            row[k] = weir_value_string(text, strlen(text));
        }
        good = weir_output_row(output, row);
    }
    return good;
}

/* People get the sentence; programs the rows. */
static int say_applied(const weir_invocation *in, const json_t *result, weir_format format)
{
    const json_t *hints = json_object_get(result, "hints");
    const char *restart = text_of(result, "restart");
    if (format == WEIR_FORMAT_AUTO)
        (void)printf("%s\n", text_of(result, "summary"));
    else if (!show_changes(json_object_get(result, "changes"), format))
        return WEIR_EXIT_FAILURE;
    for (size_t i = 0; i < json_array_size(hints); i++)
        weir_command_note(in, "%s", json_string_value(json_array_get(hints, i)));
    if (*restart)
        weir_command_note(in, "%s needs a restart to take effect", restart);
    return WEIR_EXIT_OK;
}

static weir_err reload_ask(const weir_invocation *in, weir_text *reply, weir_error *error)
{
    const struct reload_options *options = in->options;
    WEIR_TEXT_AUTO socket = WEIR_TEXT_INIT;
    weir_err err = weir_ask_socket(in, &options->place,
                                   "a weir that keeps nothing is told by SIGHUP", &socket, error);
    if (err == WEIR_OK)
        err = weir_control_ask_for(weir_text_get(&socket), "{\"method\": \"reload\"}",
                                   RELOAD_PATIENCE_S, reply, error);
    return err;
}

static int reload_run(const weir_invocation *in)
{
    const struct reload_options *options = in->options;
    weir_error error = WEIR_ERROR_INIT;
    WEIR_TEXT_AUTO reply = WEIR_TEXT_INIT;
    if (reload_ask(in, &reply, &error))
        return weir_command_fail(in, &error);
    json_t *answer = json_loadb(weir_text_get(&reply), reply.length, 0, NULL);
    const json_t *result = json_object_get(answer, "result");
    const int code =
        result ? say_applied(in, result, (weir_format)options->format) : say_refused(in, answer);
    json_decref(answer);
    return code;
}

static const weir_example reload_examples[] = {
    {"weir reload", "after weir.yaml was edited"},
    {"weir reload --format table", "what was different, a row each"},
    {0}};

const weir_command weir_command_reload = {
    .name = "reload",
    .summary = "have the running weir read its configuration again",
    .arguments = "",
    .options = reload_option_table,
    .options_size = sizeof(struct reload_options),
    .examples = reload_examples,
    .text = "Only what is different is touched: other connections keep their sockets, other "
            "devices miss no poll. A tag that is gone keeps its history; one that was renamed goes "
            "on with it when 'was' says its former name. Prints how many connections, devices, "
            "plans and sinks were added, changed and removed.\n\n"
            "With a mistake nothing changes: all mistakes are shown as with weir check, exit code "
            "3, and what is in force goes on. data_dir and clock.trust need a restart.",
    .run = reload_run,
};
