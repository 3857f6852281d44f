/* SPDX-License-Identifier: MIT */
/* Several threads make the segments of a part; who called them writes these, in order. */

#pragma once
#include "blocks/segment.h"
#include "cli/generate.h"
#include "store/history/load.h"

/* One tag in one part. */
typedef struct weir_part_task {
    const weir_generator_group *group;
    uint32_t index; /* in the group */
    weir_tag_uid uid;
    uint32_t series;    /* of replies: the lowest uid of the group */
    uint64_t first_seq; /* of the group in this part */
} weir_part_task;

/* A part to be made: the samples of [from, to) but each group's last slot. */
typedef struct weir_part_work {
    weir_load *load; /* the part has begun */
    weir_wall from, to;
    weir_effort effort;
    weir_part_task *tasks; /* ascending by uid */
    size_t n_tasks;
} weir_part_work;

typedef struct weir_part_crew weir_part_crew;

/* A thread for each processor, while a part is made. Borrows the job. Free it also on failure. */
weir_err weir_part_crew_new(weir_generate_job *job, weir_part_crew **ret,
                            weir_error *error) WEIR_MUST_CHECK;
void weir_part_crew_free(weir_part_crew *crew); /* accepts NULL */

/* Writes all segments of the part, tags and then replies; counts in the job and shows progress. */
weir_err weir_part_crew_run(weir_part_crew *crew, const weir_part_work *work,
                            weir_error *error) WEIR_MUST_CHECK;

/* How large all of the job will be: some samples of some tags, encoded. */
weir_err weir_part_crew_estimate(weir_part_crew *crew, double *ret_bytes,
                                 weir_error *error) WEIR_MUST_CHECK;
