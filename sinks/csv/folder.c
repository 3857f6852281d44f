/* SPDX-License-Identifier: MIT */
/* The folders that files are made in. */

#include "sinks/csv/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "sinks/csv/place.h"
#include "sinks/text/trouble.h"

bool weir_csv_folder_sync(const char *file)
{
    WEIR_TEXT_AUTO folder = WEIR_TEXT_INIT;
    const char *slash = strrchr(file, '/');
    if (slash)
        weir_text_add_n(&folder, file, slash == file ? 1 : (size_t)(slash - file));
    const int fd = open(slash ? weir_text_get(&folder) : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    /* Some network file systems cannot sync a folder, and need not. */
    const bool done = fsync(fd) == 0 || errno == EINVAL;
    const int code = errno;
    (void)close(fd);
    errno = code;
    return done;
}

static bool folder_failed(weir_send_answer *ret, const char *what, const char *folder)
{
    weir_trouble_answer(ret, errno, what, folder);
    return false;
}

bool weir_csv_folders_make(const char *path, const char *file, weir_send_answer *ret)
{
    WEIR_TEXT_AUTO fixed = WEIR_TEXT_INIT;
    weir_csv_path_folder(path, &fixed);
    for (const char *p = file + fixed.length; (p = strchr(p, '/')); p++) {
        WEIR_TEXT_AUTO folder = WEIR_TEXT_INIT;
        weir_text_add_n(&folder, file, (size_t)(p - file));
        if (p == file || access(weir_text_get(&folder), F_OK) == 0)
            continue;
        if (mkdir(weir_text_get(&folder), 0777) != 0 && errno != EEXIST)
            return folder_failed(ret, "cannot create the folder", weir_text_get(&folder));
        if (!weir_csv_folder_sync(weir_text_get(&folder)))
            return folder_failed(ret, "cannot sync the folder above", weir_text_get(&folder));
    }
    return true;
}
