/* SPDX-License-Identifier: MIT */
/* Text as a part of a URL. */

#include <string.h>

#include "sinks/http/http.h"

void weir_http_add_escaped(weir_text *t, const char *text)
{
    /* RFC 3986, 2.3: unreserved */
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if (strchr(plain, *c))
            weir_text_add_char(t, (char)*c);
        else
            weir_text_format(t, "%%%02X", *c);
}
