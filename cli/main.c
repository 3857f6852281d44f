/* SPDX-License-Identifier: MIT */
/* The program weir. */

#include <signal.h>

#include "cli/command.h"

int main(int argc, char **argv)
{
    /* A peer or reader that goes away is an error code where we write, not our end. */
    (void)signal(SIGPIPE, SIG_IGN);
    return weir_cli_main(argc, argv);
}
