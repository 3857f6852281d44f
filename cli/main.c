/* SPDX-License-Identifier: MIT */
/* The program weir. */

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "cli/command.h"

/* Started with one of them closed, the first file we open would be written to as our output. */
static void open_standard_files(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        (void)close(fd);
}

int main(int argc, char **argv)
{
    open_standard_files();
    /* A peer or reader that goes away is an error code where we write, not our end. */
    (void)signal(SIGPIPE, SIG_IGN);
    return weir_cli_main(argc, argv);
}
