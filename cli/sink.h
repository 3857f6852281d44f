/* SPDX-License-Identifier: MIT */
/* What the files of `weir sink` share. */

#pragma once
#include "cli/command.h"
#include "cli/edit.h"
#include "cli/output.h"

struct weir_sink_options {
    struct weir_edit_options place;
    const char *from, *to, *tag, *output;
    bool stop, yes;
    int64_t timeout;
    int format;
};

/* The actions with files of their own; they return the exit code. */
int weir_sink_list(const weir_invocation *in);
int weir_sink_quarantine(const weir_invocation *in);
