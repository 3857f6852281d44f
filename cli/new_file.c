/* SPDX-License-Identifier: MIT */
/* A file that is written in one piece, and replaces no other unless it shall. */

#include "cli/new_file.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "catalog/whole_file.h"

weir_err weir_new_file_write(const char *name, const weir_text *text, bool replace,
                             weir_arena *arena, weir_error *error)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    const int why = weir_whole_file_write(arena, name, text, replace, NULL, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (why == 0)
        return WEIR_OK;
    if (why == ENOMEM)
        return weir_fail(error, WEIR_ENOMEM, "out of memory");
    const weir_err err = why == EEXIST                   ? WEIR_EINUSE
                         : why == EACCES || why == EROFS ? WEIR_EPERM
                                                         : WEIR_EIO;
    return weir_fail(error, err, "cannot write %s: %s", name, strerror(why));
}
