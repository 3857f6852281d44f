/* SPDX-License-Identifier: MIT */
/* Exit codes: what a script may rely on. */

#include "cli/exit.h"

weir_exit weir_exit_of(weir_err code)
{
    switch (code) {
    case WEIR_OK:
        return WEIR_EXIT_OK;
    case WEIR_EINVAL:
        return WEIR_EXIT_USAGE;
    case WEIR_ECONFIG:
    case WEIR_ESYNTAX:
    case WEIR_EUNSUPPORTED:
    case WEIR_EINUSE:
        return WEIR_EXIT_CONFIG;
    case WEIR_ECONNECT:
        return WEIR_EXIT_CONNECT;
    case WEIR_EREFUSED:
        return WEIR_EXIT_REFUSED;
    case WEIR_ETIMEOUT:
        return WEIR_EXIT_TIMEOUT;
    case WEIR_EPERM:
        return WEIR_EXIT_NOT_ALLOWED;
    case WEIR_EDAMAGED:
        return WEIR_EXIT_DAMAGED;
    case WEIR_ENOMEM:
    case WEIR_ELIMIT:
    case WEIR_ENOTFOUND:
    case WEIR_EIO:
    case WEIR_EPROTO:
    case WEIR_ECANCELED:
        break;
    }
    return WEIR_EXIT_FAILURE;
}
