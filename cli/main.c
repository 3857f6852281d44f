/* SPDX-License-Identifier: MIT */
/* The program weir. */

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "cli/command.h"

/* With stdout or stderr closed, the first file to be opened, such as the lock, would get what is
 * printed. Reading only: whoever prints shall still see that it fails. */
static void hold_standard_files(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        (void)close(fd);
}

int main(int argc, char **argv)
{
    hold_standard_files();
    /* A peer or reader that goes away is an error code where we write, not our end. */
    (void)signal(SIGPIPE, SIG_IGN);
    return weir_cli_main(argc, argv);
}
