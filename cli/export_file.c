/* SPDX-License-Identifier: MIT */
/* Where an export goes: a file that gets its name when it is complete, or what is no file. */

#include "cli/export_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/assemble.h"

static weir_err file_name(weir_export_file *file, const char *output, weir_arena *arena,
                          weir_error *error)
{
    struct stat s;
    char *real = realpath(output, NULL);
    const bool exists = real && stat(real, &s) == 0;
    file->name = real ? weir_arena_text(arena, real) : output;
    free(real);
    if (exists && S_ISDIR(s.st_mode))
        return weir_fail(error, WEIR_EINVAL, "--output: %s is a folder: name a file", output);
    /* A device must not be replaced by a file. */
    const bool named = !exists || S_ISREG(s.st_mode);
    if (named && file->name)
        file->part = weir_arena_format(arena, "%s.part", file->name);
    return file->name && (file->part || !named) ? WEIR_OK
                                                : weir_fail(error, WEIR_ENOMEM, "out of memory");
}

weir_err weir_export_file_open(weir_export_file *file, const char *output, weir_arena *arena,
                               weir_error *error)
{
    *file = (weir_export_file){.stream = stdout, .name = "standard output"};
    if (!output || !strcmp(output, "-"))
        return WEIR_OK;
    weir_err err = file_name(file, output, arena, error);
    if (err != WEIR_OK)
        return err;
    const char *path = file->part ? file->part : file->name;
    file->stream = fopen(path, "wbe");
    if (!file->stream)
        return weir_fail(error, errno == EACCES || errno == EROFS ? WEIR_EPERM : WEIR_EIO,
                         "cannot write %s: %s", path, strerror(errno));
    weir_signal_block();
    return WEIR_OK;
}

weir_err weir_export_file_close(weir_export_file *file, weir_err err, weir_error *error)
{
    if (file->stream == stdout)
        return err;
    const bool written = fflush(file->stream) == 0 && !ferror(file->stream) &&
                         (!file->part || fsync(fileno(file->stream)) == 0);
    const int cause = errno;
    (void)fclose(file->stream);
    if (err == WEIR_OK && !written)
        err = weir_fail(error, WEIR_EIO, "cannot write %s: %s", file->name, strerror(cause));
    if (!file->part)
        return err;
    if (err == WEIR_OK && rename(file->part, file->name))
        err = weir_fail(error, WEIR_EIO, "cannot rename %s to %s: %s", file->part, file->name,
                        strerror(errno));
    if (err != WEIR_OK)
        (void)unlink(file->part);
    return err;
}
