/* SPDX-License-Identifier: MIT */
/* A delivery whose progress goes to the postbox. */

#pragma once
#include "runtime/postbox.h"
#include "sinks/delivery/delivery.h"

/* Both borrowed, as long as the delivery lives. */
typedef struct weir_delivery_box {
    weir_postbox *postbox;
    const char *sink; /* its name */
} weir_delivery_box;

/* Sets box_data and what is called with it. */
void weir_delivery_host_post(weir_delivery_host *host, weir_delivery_box *box);
