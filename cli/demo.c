/* SPDX-License-Identifier: MIT */
/* weir demo: a simulated plant, polled over real Modbus TCP, stored, shown.
 *
 * The happy path: a folder for the demo -> this program again as `weir simulate` in a child
 * process, which says on which port it listens -> a configuration that polls this port -> the
 * collector -> a table redrawn in place on a terminal, one line for each change otherwise -> at the
 * end the child is ended and the folder removed, unless it is to be kept.
 *
 * What can fail: the folder or the child cannot be made; the child says nothing in time. Each ends
 * the demo with a sentence. Should this process die, the kernel ends the child. */

#include "cli/commands.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"
#include "cli/demo_plant.h"
#include "cli/demo_view.h"
#include "cli/output.h"
#include "daemon/assemble.h"
#include "daemon/log.h"
#include "runtime/clock.h"

struct demo_options {
    const char *data_dir;
    bool keep;
    int64_t duration_us;
};

static const weir_option demo_option_table[] = {
    {.name = "data-dir",
     .type = WEIR_OPTION_STRING,
     .offset = offsetof(struct demo_options, data_dir),
     .metavar = "DIR",
     .text = "Where the demo keeps its data; kept at the end. Without it a temporary folder."},
    {.name = "keep",
     .type = WEIR_OPTION_BOOL,
     .offset = offsetof(struct demo_options, keep),
     .text = "Keeps the temporary folder at the end."},
    {.name = "for",
     .type = WEIR_OPTION_DURATION,
     .offset = offsetof(struct demo_options, duration_us),
     .fallback = "0",
     .metavar = "TIME",
     .text = "Ends by itself after this time; 0: at Ctrl-C."},
    {0},
};

enum { CHILD_TIMEOUT_MS = 10000 };
static const int64_t redraw_us = 500 * WEIR_MS;
static const int64_t change_us = 200 * WEIR_MS;

struct demo {
    const weir_invocation *in;
    const char *folder;
    bool made_folder;
    pid_t child;
    int child_output;
    weir_catalog *catalog;
    weir_runtime *collector;
};

/* files */

/* Names of its own: DIR may be a folder with somebody's weir.yaml. */
static weir_err demo_write(const struct demo *d, const char *name, const char *data_dir,
                           const char *uri, weir_error *error)
{
    static const struct {
        const char *mark;
        size_t n;
    } marks[] = {{"@DATA_DIR@", 10}, {"@URI@", 5}};
    const char *values[] = {data_dir, uri};
    WEIR_TEXT_AUTO text = WEIR_TEXT_INIT;
    for (const char *at = weir_demo_plant; *at;) {
        size_t mark = 0;
        while (mark < 2 && strncmp(at, marks[mark].mark, marks[mark].n) != 0)
            mark++;
        if (mark < 2) {
            weir_text_add(&text, values[mark]);
            at += marks[mark].n;
        } else {
            weir_text_add_char(&text, *at++);
        }
    }
    const char *path = weir_arena_format(d->in->arena, "%s/%s", d->folder, name);
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file || text.failed)
        return weir_fail(error, WEIR_EIO, "cannot write %s/%s: %s", d->folder, name,
                         strerror(errno));
    const bool written = fwrite(text.text, 1, text.length, file) == text.length;
    if (fclose(file) != 0 || !written)
        return weir_fail(error, WEIR_EIO, "cannot write %s: %s", path, strerror(errno));
    return WEIR_OK;
}

static weir_err demo_make_folder(struct demo *d, const struct demo_options *options,
                                 weir_error *error)
{
    if (options->data_dir) {
        d->folder = options->data_dir;
        if (mkdir(d->folder, 0700) != 0 && errno != EEXIST)
            return weir_fail(error, WEIR_EIO, "cannot make %s: %s", d->folder, strerror(errno));
        return WEIR_OK;
    }
    const char *tmp = getenv("TMPDIR");
    char *name = weir_arena_format(d->in->arena, "%s/weir-demo-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!name || !mkdtemp(name))
        return weir_fail(error, WEIR_EIO, "cannot make a temporary folder: %s", strerror(errno));
    d->folder = name;
    d->made_folder = true;
    return WEIR_OK;
}

/* The folder holds plain files only: ours. */
static void demo_remove_folder(const struct demo *d)
{
    DIR *dir = opendir(d->folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        (void)closedir(dir);
    (void)rmdir(d->folder);
}

/* the plant */

static void child_exec(const struct demo *d, int output)
{
    sigset_t none;
    const char *plant = weir_arena_format(d->in->arena, "%s/demo-plant.yaml", d->folder);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    /* Ctrl-C goes to the whole foreground group; the plant shall outlive the last poll. */
    (void)signal(SIGINT, SIG_IGN);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    (void)dup2(output, STDOUT_FILENO);
    (void)execl("/proc/self/exe", "weir", "simulate", plant, "--listen", "tcp://127.0.0.1:0",
                (char *)NULL);
    _exit(127);
}

static weir_err demo_start_plant(struct demo *d, weir_error *error)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return weir_fail(error, WEIR_EIO, "pipe: %s", strerror(errno));
    d->child = fork();
    if (d->child == 0)
        child_exec(d, fds[1]);
    (void)close(fds[1]);
    d->child_output = fds[0];
    if (d->child < 0)
        return weir_fail(error, WEIR_EIO, "fork: %s", strerror(errno));
    return WEIR_OK;
}

/* Waits for "listening URI". */
static weir_err demo_plant_uri(const struct demo *d, weir_text *ret_uri, weir_error *error)
{
    static const char ready[] = "listening ";
    WEIR_TEXT_AUTO line = WEIR_TEXT_INIT;
    line.limit = 1000;
    while (!memchr(weir_text_get(&line), '\n', line.length)) {
        struct pollfd fd = {d->child_output, POLLIN, 0};
        char byte;
        if (poll(&fd, 1, CHILD_TIMEOUT_MS) <= 0 || read(d->child_output, &byte, 1) != 1)
            return weir_fail(error, WEIR_ECONNECT, "the simulated plant did not start");
        weir_text_add_char(&line, byte);
        if (line.failed)
            return weir_fail(error, WEIR_EPROTO, "the simulated plant did not start");
    }
    if (strncmp(line.text, ready, sizeof ready - 1) != 0)
        return weir_fail(error, WEIR_EPROTO, "the simulated plant said: %s", line.text);
    weir_text_add_n(ret_uri, line.text + sizeof ready - 1, line.length - sizeof ready);
    return WEIR_OK;
}

/* the show */

static void log_quietly(void *data, weir_log_level level, const char *event, const char *subject,
                        const char *text)
{
    (void)data;
    if (level <= WEIR_LOG_WARNING)
        weir_log_line(level, event, subject, text);
}

static weir_err demo_start(struct demo *d, const struct demo_options *options, weir_error *error)
{
    WEIR_TEXT_AUTO uri = WEIR_TEXT_INIT;
    weir_err err = demo_make_folder(d, options, error);
    if (!err)
        err = demo_write(d, "demo-plant.yaml", d->folder, "tcp://127.0.0.1:502", error);
    if (!err)
        err = demo_start_plant(d, error);
    if (!err)
        err = demo_plant_uri(d, &uri, error);
    if (!err)
        err = demo_write(d, "demo.yaml", d->folder, weir_text_get(&uri), error);
    if (err)
        return err;
    const weir_assemble_options assemble = {
        .config = weir_arena_format(d->in->arena, "%s/demo.yaml", d->folder),
        .data_dir = d->folder,
    };
    err = weir_assemble_load(&assemble, &d->catalog, error);
    if (err)
        return err;
    const weir_runtime_config config = {
        .catalog = d->catalog,
        .sources = weir_assemble_sources,
        .built = weir_assemble_built(),
        .log = log_quietly,
    };
    err = weir_runtime_start(&config, &d->collector, error);
    if (!err)
        (void)fprintf(stderr, "weir demo: a simulated plant at %s, its data in %s; Ctrl-C ends\n",
                      weir_text_get(&uri), d->folder);
    return err;
}

/* Until a signal, the time is over, or nobody reads any more. */
static weir_err demo_show(struct demo *d, const struct demo_options *options, weir_error *error)
{
    const bool terminal = isatty(STDOUT_FILENO) && weir_terminal_colour(stdout);
    const int64_t ends =
        options->duration_us ? weir_system_mono().us + options->duration_us : INT64_MAX;
    weir_demo_view *view = weir_demo_view_new(d->catalog, stdout, terminal);
    if (!view)
        return weir_fail(error, WEIR_ENOMEM, "the table");
    while (weir_signal_wait(terminal ? redraw_us : change_us) == 0 &&
           weir_system_mono().us < ends) {
        weir_snapshot *snapshot = weir_runtime_snapshot(d->collector);
        const weir_worker_view store = weir_runtime_store(d->collector);
        const bool read_by_somebody = !snapshot || weir_demo_view_show(view, snapshot, &store);
        weir_snapshot_unref(snapshot);
        if (!read_by_somebody)
            break;
    }
    weir_demo_view_free(view);
    return WEIR_OK;
}

static void demo_end(struct demo *d, const struct demo_options *options)
{
    const bool keep = options->keep || options->data_dir;
    const bool had_data = d->collector != NULL;
    if (d->collector && !weir_runtime_stop(d->collector))
        weir_command_note(d->in, "the last samples could not be committed");
    weir_catalog_free(d->catalog);
    if (d->child > 0) {
        (void)kill(d->child, SIGTERM);
        (void)waitpid(d->child, NULL, 0);
    }
    if (d->child_output >= 0)
        (void)close(d->child_output);
    if (d->made_folder && !keep)
        demo_remove_folder(d);
    else if (had_data)
        (void)fprintf(stderr,
                      "the data is kept; try: weir sql --data-dir %s \"select tag, count(*), "
                      "avg(value) from samples group by tag\"\n",
                      d->folder);
}

static int demo_command(const weir_invocation *in)
{
    const struct demo_options *options = in->options;
    struct demo d = {.in = in, .child_output = -1};
    weir_error error = WEIR_ERROR_INIT;
    weir_signal_block();
    weir_err err = demo_start(&d, options, &error);
    if (!err)
        err = demo_show(&d, options, &error);
    demo_end(&d, options);
    return err ? weir_command_fail(in, &error) : WEIR_EXIT_OK;
}

static const weir_example demo_examples[] = {
    {"weir demo", "a live table of a simulated plant, until Ctrl-C"},
    {"weir demo --for 10s | cat", "the same as lines, one for each change"},
    {0},
};

const weir_command weir_command_demo = {
    .name = "demo",
    .summary = "show weir at work on a simulated plant; needs nothing",
    .arguments = "",
    .options = demo_option_table,
    .options_size = sizeof(struct demo_options),
    .examples = demo_examples,
    .text = "Three meters, an inverter and a tank are served over Modbus TCP on this machine, "
            "polled by the same engine as 'weir run' and stored. On a terminal a table is redrawn "
            "in place; piped, each change is one line: time, tag, value, unit, quality.",
    .run = demo_command,
};
