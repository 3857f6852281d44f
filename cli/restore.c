/* SPDX-License-Identifier: MIT */
/* weir restore: a backup becomes a data directory again, as the original or as a copy. */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"
#include "cli/commands.h"
#include "cli/datadir.h"
#include "cli/progress.h"
#include "daemon/assemble.h"
#include "runtime/clock.h"
#include "store/backup/restore.h"

struct restore_options {
    const char *data_dir, *as;
    bool takeover, replace, check;
};

static const weir_option restore_option_table[] = {
    {.name = "data-dir",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct restore_options, data_dir),
     .metavar = "DIR",
     .text = "Where to. Without it the data_dir of ./weir.yaml or /etc/weir/weir.yaml, else "
             "./weir-data."},
    {.name = "takeover",
     .type = WEIR_OPTION_BOOL,
     .offset = offsetof(struct restore_options, takeover),
     .text = "This goes on in place of the original, which never runs again: same identity, "
             "sinks continue where they were."},
    {.name = "as",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct restore_options, as),
     .metavar = "NAME",
     .text = "This is a copy beside the original, called NAME: an identity of its own, sinks "
             "begin anew."},
    {.name = "replace",
     .type = WEIR_OPTION_BOOL,
     .offset = offsetof(struct restore_options, replace),
     .text = "Moves a store that is already there into a folder replaced-TIME within DIR."},
    {.name = "check",
     .type = WEIR_OPTION_BOOL,
     .offset = offsetof(struct restore_options, check),
     .text = "Reads and checks FILE, and restores nothing."},
    {0}};

/* --- what it tells ------------------------------------------------------------------------ */

static void say_manifest(const weir_invocation *in, const weir_manifest *m)
{
    char created[28];
    weir_wall_format(m->created, created);
    weir_command_note(in, "backup of %s on %s, made %s by weir %s: store %s up to seq %llu",
                      m->data_dir, *m->host ? m->host : "an unnamed machine", created, m->version,
                      m->identity.uuid, (unsigned long long)m->seq);
}

static void say_identity(const weir_invocation *in, const weir_identity *id, const char *name)
{
    if (name)
        weir_command_note(in,
                          "it is now '%s', store %s, without cursors. Give its sinks other "
                          "targets before you start it, or they get everything twice",
                          name, id->uuid);
    else
        weir_command_note(in,
                          "it goes on as store %s; sinks continue where they were when it was "
                          "backed up. Do not start the old one again",
                          id->uuid);
}

/* Configuration and secrets do not go where they were: nothing outside DIR is touched. */
static const char *say_files(const weir_invocation *in, const weir_manifest *m,
                             const char *data_dir)
{
    const char *config = NULL;
    for (size_t i = 0; i < m->n_members; i++) {
        const weir_manifest_member *member = &m->members[i];
        if (!member->path)
            continue;
        weir_command_note(in, "%s/" WEIR_RESTORE_FOLDER "/%s was %s", data_dir, member->name,
                          member->path);
        if (!config && !strncmp(member->name, "config/", 7))
            config = weir_arena_format(in->arena, "%s/" WEIR_RESTORE_FOLDER "/%s", data_dir,
                                       member->name);
    }
    for (size_t i = 0; i < m->n_omitted; i++)
        weir_command_note(in, "not in the backup, to be made again: %s", m->omitted[i]);
    return config;
}

static void say_restored(const weir_invocation *in, const weir_restore_report *report,
                         const char *data_dir, const char *name)
{
    const weir_manifest *m = &report->manifest;
    say_manifest(in, m);
    if (*report->replaced)
        weir_command_note(in, "what was there is in %s/%s", data_dir, report->replaced);
    const char *config = say_files(in, m, data_dir);
    say_identity(in, &report->identity, name);
    if (config)
        weir_command_note(in, "next: weir check -c %s, then weir run -c %s --data-dir %s", config,
                          config, data_dir);
    else
        weir_command_note(in, "next: weir run -c FILE --data-dir %s", data_dir);
}

/* Also ends a work that somebody interrupts. */
static bool on_progress(void *data, uint64_t done, uint64_t total)
{
    weir_progress_set(data, done, total ? (double)done / (double)total : 0);
    return weir_signal_wait(0) == 0;
}

/* --- the three ways ----------------------------------------------------------------------- */

static weir_err check(const weir_invocation *in, weir_error *error)
{
    weir_manifest manifest;
    weir_progress progress;
    weir_progress_start(&progress, "checking", "bytes");
    weir_err err =
        weir_restore_check(in->args[0], on_progress, &progress, in->arena, &manifest, error);
    weir_progress_end(&progress);
    if (err)
        return err;
    say_manifest(in, &manifest);
    weir_command_note(in, "%s is whole: %zu file%s", in->args[0], manifest.n_members,
                      manifest.n_members == 1 ? "" : "s");
    return WEIR_OK;
}

static weir_err restore(const weir_invocation *in, const char *data_dir, weir_error *error)
{
    const struct restore_options *o = in->options;
    weir_progress progress;
    weir_restore_report report;
    const weir_restore_options options = {
        .file = in->args[0],
        .data_dir = data_dir,
        .name = o->as,
        .replace = o->replace,
        .now = weir_system_wall(),
        .progress = on_progress,
        .data = &progress,
    };
    weir_progress_start(&progress, "restoring", "bytes");
    weir_err err = weir_restore(&options, in->arena, &report, error);
    weir_progress_end(&progress);
    if (!err)
        say_restored(in, &report, data_dir, o->as);
    return err;
}

static weir_err declare(const weir_invocation *in, const char *data_dir, weir_error *error)
{
    const struct restore_options *o = in->options;
    weir_identity identity;
    weir_err err = weir_restore_in_place(data_dir, o->as, weir_system_wall(), &identity, error);
    if (!err)
        say_identity(in, &identity, o->as);
    return err;
}

static int restore_usage(const weir_invocation *in)
{
    const struct restore_options *o = in->options;
    if (o->check)
        return in->n_args ? WEIR_EXIT_OK : weir_command_usage(in, "--check needs a FILE");
    if (o->as && o->takeover)
        return weir_command_usage(in, "--as and --takeover exclude each other");
    if (!o->as && !o->takeover)
        return weir_command_usage(
            in, "say what it shall be, because sinks and other readers tell stores apart:\n"
                "  --takeover  it goes on in place of the original (new hardware; the old one "
                "never runs again)\n"
                "  --as NAME   it is a copy beside the original (a test, a look into the past)\n"
                "Two running weirs of one identity lose or repeat data.");
    if (o->as && !weir_identity_name_valid(o->as))
        return weir_command_usage(in, "--as must be a name of 1 to 64 bytes without control "
                                      "characters");
    if (!in->n_args && o->replace)
        return weir_command_usage(in, "--replace needs a FILE");
    return WEIR_EXIT_OK;
}

static int restore_run(const weir_invocation *in)
{
    const struct restore_options *o = in->options;
    weir_error error = WEIR_ERROR_INIT;
    const int usage = restore_usage(in);
    weir_err err;
    if (usage)
        return usage;
    weir_signal_block();
    if (o->check) {
        err = check(in, &error);
        return err ? weir_command_fail(in, &error) : WEIR_EXIT_OK;
    }
    const char *data_dir = weir_data_dir(in->arena, NULL, o->data_dir, &error);
    if (!data_dir)
        return weir_command_fail(in, &error);
    err = in->n_args ? restore(in, data_dir, &error) : declare(in, data_dir, &error);
    return err ? weir_command_fail(in, &error) : WEIR_EXIT_OK;
}

static const weir_example restore_examples[] = {
    {"weir restore weir.tar --takeover --data-dir /var/lib/weir",
     "new hardware goes on where the old one ended"},
    {"weir restore weir.tar --as test --data-dir ./test-data", "a copy to try things with"},
    {"weir restore weir.tar --check", "whether a backup is whole"},
    {"weir restore --takeover --data-dir /var/lib/weir",
     "a data directory that was copied here by other means"},
    {0}};

const weir_command weir_command_restore = {
    .name = "restore",
    .summary = "make a data directory of a backup, as the original or as a copy",
    .arguments = "[FILE]",
    .args_max = 1,
    .options = restore_option_table,
    .options_size = sizeof(struct restore_options),
    .examples = restore_examples,
    .text = "One of --takeover and --as NAME is needed: sinks remember how far they are by the "
            "store's identity and a number, and two running weirs of one identity give one number "
            "to different samples.\n\n"
            "Checksums and database are checked before anything is put in place; the database "
            "comes last, so half a restore is no store. Configuration and secrets go into "
            "DIR/restored: nothing outside DIR is written.\n\n"
            "Without FILE it declares a data directory that was copied by hand (weir stopped). "
            "weir warns at its start when it finds itself in such a copy.",
    .run = restore_run,
};
