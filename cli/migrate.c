/* SPDX-License-Identifier: MIT */
/* weir migrate: bringing a store of an older version to this one. */

/*
 * It looks first, through a connection that only reads: a newer store, or one that needs nothing,
 * is left as it is. Then it opens the store for writing, which takes the lock and migrates, as a
 * daemon's start does.
 */

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/number.h"
#include "cli/commands.h"
#include "cli/datadir.h"
#include "cli/facts.h"
#include "runtime/clock.h"
#include "store/migrate.h"
#include "store/store.h"

struct migrate_options {
    const char *config, *data_dir;
    bool dry_run;
    int format;
    weir_option_strings env_files;
};

static const weir_option migrate_option_table[] = {
    {.name = "dry-run",
     .letter = 'n',
     .type = WEIR_OPTION_BOOL,
     .offset = offsetof(struct migrate_options, dry_run),
     .text = "Only say what would be done, and what space and time it takes."},
    {.name = "data-dir",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct migrate_options, data_dir),
     .metavar = "DIR",
     .text = "The data directory. Without it the configuration's, else ./weir-data."},
    {.name = "config",
     .letter = 'c',
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct migrate_options, config),
     .metavar = "FILE",
     .text = "The configuration that names the data directory. Without it ./weir.yaml, then "
             "/etc/weir/weir.yaml."},
    WEIR_ENV_FILE_OPTION(struct migrate_options),
    WEIR_FORMAT_OPTION(struct migrate_options),
    {0}};

/* What there is of a migration, before or after it. */
struct report {
    const char *data_dir;
    weir_migration migration;
    uint64_t disk_free; /* UINT64_MAX: not known */
    bool done;
};

static const char *report_state(const struct report *r)
{
    return r->done ? "migrated" : r->migration.from < r->migration.to ? "older" : "current";
}

static const char *report_what(const struct report *r)
{
    return r->migration.from < r->migration.to ? "tables added and columns appended; every block "
                                                 "of samples stays where and as it is"
                                               : "nothing";
}

static bool report_print(const struct report *r, weir_format format)
{
    WEIR_TEXT_AUTO size = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO space = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO disk = WEIR_TEXT_INIT;
    WEIR_TEXT_AUTO time = WEIR_TEXT_INIT;
    const weir_migration *m = &r->migration;
    const bool known = r->disk_free != UINT64_MAX, work = m->from < m->to && !r->done;
    weir_text_add_size(&size, m->file_bytes);
    weir_text_add(&space, "at most ");
    weir_text_add_size(&space, m->space_bytes);
    if (known)
        weir_text_add_size(&disk, r->disk_free);
    weir_text_add(&time, "at most ");
    weir_text_add_duration(&time, (m->time_us / WEIR_S + 1) * WEIR_S);
    const weir_fact facts[] = {
        {"data_dir", weir_value_string(r->data_dir, strlen(r->data_dir)), NULL},
        {"state", weir_value_string(report_state(r), strlen(report_state(r))), NULL},
        {"version", weir_value_i64(m->from), NULL},
        {"to", weir_value_i64(m->to), NULL},
        {"changes", weir_value_string(report_what(r), strlen(report_what(r))), NULL},
        {"file_bytes", weir_value_u64(m->file_bytes), weir_text_get(&size)},
        {"space_bytes", weir_value_u64(m->space_bytes), work ? weir_text_get(&space) : ""},
        {"disk_free_bytes", known ? weir_value_u64(r->disk_free) : weir_value_null(),
         weir_text_get(&disk)},
        {"time_ms", weir_value_i64(m->time_us / WEIR_MS), work ? weir_text_get(&time) : ""},
    };
    return weir_facts_print(stdout, format, facts, sizeof facts / sizeof *facts);
}

static weir_err migrate(const weir_invocation *in, const char *data_dir, weir_error *error)
{
    weir_store *store = NULL;
    const weir_store_options options = {.data_dir = data_dir, .now = weir_system_wall()};
    weir_err err = weir_store_open(&options, &store, error);
    if (err == WEIR_OK)
        weir_data_dir_tell(in, store);
    weir_store_close(store);
    return err;
}

static weir_err report_make(const weir_invocation *in, struct report *r, weir_error *error)
{
    const struct migrate_options *options = in->options;
    struct statvfs disk;
    weir_err err = weir_migration_look(r->data_dir, NULL, &r->migration, error);
    r->disk_free = statvfs(r->data_dir, &disk) == 0
                       ? (uint64_t)disk.f_bavail * (uint64_t)disk.f_frsize
                       : UINT64_MAX;
    if (err != WEIR_OK || options->dry_run || r->migration.from == r->migration.to)
        return err;
    if (r->disk_free < r->migration.space_bytes)
        return weir_fail(error, WEIR_EIO,
                         "the disk has %llu bytes free and %llu may be needed: make room. Nothing "
                         "was changed",
                         (unsigned long long)r->disk_free,
                         (unsigned long long)r->migration.space_bytes);
    err = migrate(in, r->data_dir, error);
    r->done = err == WEIR_OK;
    return err;
}

static int migrate_run(const weir_invocation *in)
{
    const struct migrate_options *options = in->options;
    weir_error error = WEIR_ERROR_INIT;
    struct report report = {0};
    report.data_dir = weir_data_dir(in->arena, options->config, options->data_dir, &error);
    if (!report.data_dir || report_make(in, &report, &error))
        return weir_command_fail(in, &error);
    if (report_print(&report, (weir_format)options->format))
        return WEIR_EXIT_OK;
    (void)weir_fail(&error, WEIR_ENOMEM, "out of memory");
    return weir_command_fail(in, &error);
}

static const weir_example migrate_examples[] = {
    {"weir migrate --dry-run", "which version the store has, and what a migration takes"},
    {"weir backup old.tar && weir migrate", "does it, with a way back"},
    {0}};

const weir_command weir_command_migrate = {
    .name = "migrate",
    .summary = "bring the store of an older weir to this version",
    .arguments = "",
    .options = migrate_option_table,
    .options_size = sizeof(struct migrate_options),
    .examples = migrate_examples,
    .text =
        "Stores of every older version can be read as they are, by weir sql for example. To write "
        "to one it has to be migrated: weir run does that by itself when it starts, this command "
        "does it beforehand and can say first what it would take. Only what is small is written, "
        "in one transaction: after a power cut the store is of one version or the other. Blocks "
        "of samples are not rewritten, so neither space nor time depend on how many there are.\n\n"
        "space and time are bounds, time that of an SD card. A weir that runs on the data "
        "directory has to be stopped first (exit code 3). A store that a newer weir wrote is left "
        "untouched (exit code 3): use that version, there is no way back but a backup. With "
        "nothing to do the exit code is 0.",
    .run = migrate_run,
};
