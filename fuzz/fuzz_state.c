/* SPDX-License-Identifier: MIT */
/* Any bytes as what rode with a commit; what is taken from them is written and read back. */

#include <stdlib.h>
#include <string.h>

#include "store/file/cursor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weir_cursors first = {0}, second = {0};
    const uint8_t *state;
    size_t n;
    if (weir_cursors_apply(&first, 1, data, size, NULL) == WEIR_ENOMEM)
        abort();
    for (size_t i = 0; i < first.n; i++) {
        const weir_cursor c = first.items[i];
        if (weir_cursors_set(&first, c.name, strlen(c.name), &c, NULL) != WEIR_OK)
            abort();
    }
    if (weir_cursors_state(&first, &state, &n, NULL) != WEIR_OK ||
        weir_cursors_apply(&second, 1, state, n, NULL) != WEIR_OK || second.n != first.n)
        abort();
    for (size_t i = 0; i < first.n; i++)
        if (second.items[i].seq != first.items[i].seq ||
            second.items[i].n_done != first.items[i].n_done ||
            memcmp(second.items[i].done, first.items[i].done,
                   first.items[i].n_done * sizeof(weir_span)) != 0)
            abort();
    weir_cursors_deinit(&first);
    weir_cursors_deinit(&second);
    return 0;
}
