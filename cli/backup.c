/* SPDX-License-Identifier: MIT */
/* weir backup: everything in one file, while weir runs. */

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/number.h"
#include "cli/belongings.h"
#include "cli/commands.h"
#include "cli/datadir.h"
#include "cli/progress.h"
#include "daemon/assemble.h"
#include "runtime/clock.h"
#include "store/backup/backup.h"

enum { SECRETS_OMIT, SECRETS_INCLUDE };
static const char *const secrets_words[] = {"omit", "include", NULL};

struct backup_options {
    const char *config, *data_dir;
    int secrets;
    weir_option_strings env_files;
};

static const weir_option backup_option_table[] = {
    {.name = "config",
     .letter = 'c',
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct backup_options, config),
     .metavar = "FILE",
     .text = "The configuration to keep with the data. Without it ./weir.yaml, then "
             "/etc/weir/weir.yaml."},
    WEIR_ENV_FILE_OPTION(struct backup_options),
    {.name = "data-dir",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct backup_options, data_dir),
     .metavar = "DIR",
     .text = "The data directory. Without it the configuration's, else ./weir-data."},
    {.name = "secrets",
     .type = WEIR_OPTION_ENUM,
     .offset = offsetof(struct backup_options, secrets),
     .words = secrets_words,
     .fallback = "omit",
     .metavar = "WORD",
     .text = "Whether files that hold passwords and keys (named by options ending in _file) go "
             "into the backup: include or omit."},
    {0}};

/* Without a configuration there may still be data. */
static weir_err collect(const weir_invocation *in, weir_belongings *ret, weir_error *error)
{
    const struct backup_options *o = in->options;
    const char *path = weir_assemble_config_path(o->config);
    *ret = (weir_belongings){.data_dir = "weir-data"};
    if (!path) {
        weir_command_note(in, "no configuration found: only the data directory is backed up (-c "
                              "FILE adds one)");
        return WEIR_OK;
    }
    return weir_belongings_collect(path, o->secrets == SECRETS_INCLUDE, in->arena, ret, error);
}

static void say_done(const weir_invocation *in, const weir_belongings *b,
                     const weir_backup_report *report, int64_t took_us)
{
    WEIR_TEXT_AUTO size = WEIR_TEXT_INIT;
    weir_text_add_size(&size, report->bytes);
    weir_text_add(&size, " in ");
    weir_text_add_duration(&size, (took_us / WEIR_MS / 100 + 1) * 100 * WEIR_MS);
    for (size_t i = 0; i < b->n_omitted; i++)
        weir_command_note(in, "%s is not in it (--secrets include)", b->omitted[i]);
    for (size_t i = 0; i < b->n_missing; i++)
        weir_command_note(in, "not in it: %s", b->missing[i]);
    weir_command_note(in, "store %s up to seq %llu, %zu file%s of configuration; %s",
                      report->identity.uuid, (unsigned long long)report->seq, b->n_files,
                      b->n_files == 1 ? "" : "s", weir_text_get(&size));
    if (strcmp(in->args[0], "-") != 0)
        weir_command_note(in, "`weir restore %s --check` reads it again", in->args[0]);
}

/* Also ends a work that somebody interrupts. */
static bool on_progress(void *data, uint64_t done, uint64_t total)
{
    weir_progress_set(data, done, total ? (double)done / (double)total : 0);
    return weir_signal_wait(0) == 0;
}

static weir_err backup_make(const weir_invocation *in, const weir_belongings *b,
                            const char *data_dir, weir_error *error)
{
    const weir_mono started = weir_system_mono();
    weir_progress progress;
    weir_backup_report report;
    const weir_backup_options options = {
        .data_dir = data_dir,
        .target = in->args[0],
        .n_files = b->n_files,
        .files = b->files,
        .n_omitted = b->n_omitted,
        .omitted = b->omitted,
        .now = weir_system_wall(),
        .progress = on_progress,
        .data = &progress,
    };
    /* On the way to a pipe nothing has a name: who interrupts that may end us at once. */
    if (strcmp(options.target, "-") != 0)
        weir_signal_block();
    weir_progress_start(&progress, "backing up", "bytes");
    weir_err err = weir_backup_make(&options, &report, error);
    weir_progress_end(&progress);
    if (!err)
        say_done(in, b, &report, weir_system_mono().us - started.us);
    return err;
}

/* Polling goes first, here as in the store. */
static void be_modest(void)
{
    enum { NICE = 10 };
    (void)setpriority(PRIO_PROCESS, 0, NICE);
}

static int backup_run(const weir_invocation *in)
{
    const struct backup_options *o = in->options;
    weir_error error = WEIR_ERROR_INIT;
    weir_belongings belongings;
    if (!strcmp(in->args[0], "-") && isatty(STDOUT_FILENO))
        return weir_command_usage(in, "a terminal cannot show a backup: name a file");
    if (collect(in, &belongings, &error))
        return weir_command_fail(in, &error);
    const char *data_dir = o->data_dir ? o->data_dir : belongings.data_dir;
    if (!data_dir) {
        (void)weir_fail(&error, WEIR_ECONFIG,
                        "the configuration has mistakes and so names no data directory: give "
                        "--data-dir to back it up as it is");
        return weir_command_fail(in, &error);
    }
    be_modest();
    if (!backup_make(in, &belongings, data_dir, &error))
        return WEIR_EXIT_OK;
    if (error.code != WEIR_EDAMAGED)
        return weir_command_fail(in, &error);
    const bool older = strcmp(in->args[0], "-") != 0 && access(in->args[0], F_OK) == 0;
    (void)weir_fail_prefix(&error, older ? "no backup was made, the older one is as it was: "
                                         : "no backup was made: ");
    const int code = weir_command_fail(in, &error);
    if (!strstr(error.text, "store repair"))
        weir_data_dir_advise(in, data_dir);
    return code;
}

static const weir_example backup_examples[] = {
    {"weir backup /mnt/usb/weir.tar", "all of the weir that runs with /etc/weir/weir.yaml"},
    {"weir backup - | ssh office 'cat > weir.tar'", "to another machine"},
    {"tar -tvf weir.tar", "what is in it"},
    {0}};

const weir_command weir_command_backup = {
    .name = "backup",
    .summary = "back up data and configuration to one file, while weir runs",
    .arguments = "FILE",
    .args_min = 1,
    .args_max = 1,
    .options = backup_option_table,
    .options_size = sizeof(struct backup_options),
    .examples = backup_examples,
    .text = "FILE is a plain tar archive: manifest.json says what is in it, data.db is the "
            "database of one moment, config/ the configuration and the profiles that did not come "
            "with weir. It is written to FILE.part, read back and checked, then renamed: an "
            "interrupted backup never replaces a good one. An existing FILE is replaced only if it "
            "is a backup. - writes to standard output, by way of a temporary file in $TMPDIR.\n\n"
            "Polling goes on. Never copy data.db with other programs while weir runs.\n\n"
            "Secrets stay out unless asked for; the configuration itself may hold passwords too, "
            "so FILE is readable by its owner only.",
    .run = backup_run,
};
