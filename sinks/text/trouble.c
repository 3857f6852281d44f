/* SPDX-License-Identifier: MIT */
/* What is in the way of a file, from errno: state, cause and remedy. */

#include "sinks/text/trouble.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static weir_trouble trouble_of(int code)
{
    switch (code) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return WEIR_TROUBLE_FULL;
    case EACCES:
    case EPERM:
        return WEIR_TROUBLE_REFUSED;
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case EROFS:
    case ELOOP:
    case ENAMETOOLONG:
    case ENXIO:
    case EEXIST:
        return WEIR_TROUBLE_MISCONFIGURED;
    default: /* EIO, ESTALE, EMFILE ...: that may pass */
        return WEIR_TROUBLE_OFFLINE;
    }
}

static const char *remedy_of(int code)
{
    switch (code) {
    case ENOSPC:
        return "make room on that disk; df -h shows it";
    case EDQUOT:
        return "make room or raise the quota of the user that weir runs as";
    case EFBIG:
        return "the file system or ulimit -f allows no larger file";
    case EACCES:
    case EPERM:
        return "let the user that weir runs as write there: chown or chmod; with systemd also "
               "ReadWritePaths=";
    case ENOENT:
    case ENOTDIR:
        return "create the folder (mkdir -p) or mount its disk, or correct path";
    case EROFS:
        return "mount it read-write; with systemd add the folder to ReadWritePaths=";
    case EISDIR:
    case ENXIO:
    case EEXIST:
        return "move it away, or let path name a file";
    case ENAMETOOLONG:
    case ELOOP:
        return "correct path";
    default:
        return "see the log of the system (dmesg)";
    }
}

void weir_trouble_answer(weir_send_answer *ret, int code, const char *what, const char *path)
{
    weir_send_later(ret, trouble_of(code), remedy_of(code), "%s %.150s: %s", what, path,
                    strerror(code));
}

void weir_trouble_not_a_file(weir_send_answer *ret, mode_t mode, const char *path)
{
    weir_send_later(ret, WEIR_TROUBLE_MISCONFIGURED, remedy_of(EISDIR), "%.150s is %s, not a file",
                    path,
                    S_ISDIR(mode)    ? "a folder"
                    : S_ISFIFO(mode) ? "a FIFO"
                                     : "a device");
}
