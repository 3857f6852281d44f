/* SPDX-License-Identifier: MIT */
/* Option structs of programs that were compiled with another version's headers. */

#include "embed/core/options.h"

#include <string.h>

/* More than any struct of options has: what is larger was not set at all. */
enum { SIZE_MAX_BELIEVED = 4096 };

weir_err weir_options_read(void *ret, size_t size, const void *given, const char *what,
                           weir_error *error)
{
    const unsigned char *bytes = given;
    size_t theirs = 0;
    if (given)
        memcpy(&theirs, given, sizeof theirs);
    if (theirs < sizeof theirs || theirs > SIZE_MAX_BELIEVED)
        return weir_fail(error, WEIR_EINVAL, "%s: struct_size must be sizeof(%s)", what, what);
    for (size_t i = size; i < theirs; i++)
        if (bytes[i])
            return weir_fail(error, WEIR_EUNSUPPORTED,
                             "%s: the program uses options that this version (" WEIR_VERSION
                             ") of the library does not know",
                             what);
    memset(ret, 0, size);
    memcpy(ret, given, theirs < size ? theirs : size);
    return WEIR_OK;
}
