/* SPDX-License-Identifier: MIT */
/* Generated samples on standard output, in the form of `weir export`. */

#include "cli/generate.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/sample_writer.h"

enum { SAMPLES = 4096 }; /* made at once */

struct text_output {
    weir_generate_job *job;
    weir_sample_writer writer;
    weir_text name;
    const char *unit;
    weir_sample *samples;
};

static bool write_samples(struct text_output *o, size_t n)
{
    const weir_line_tag tag = {.name = weir_text_get(&o->name), .unit = o->unit};
    bool good = true;
    for (size_t i = 0; good && i < n; i++)
        good = weir_sample_writer_put(&o->writer, &tag, &o->samples[i], 0);
    return good;
}

static weir_err write_tag(struct text_output *o, weir_generator_tag *tag, weir_error *error)
{
    weir_generate_job *job = o->job;
    const weir_wall end = {tag->group->last.us + 1};
    weir_wall at = tag->group->first;
    for (size_t n = 1; n > 0;) {
        weir_err err = weir_generator_fill(tag, at, end, SAMPLES, o->samples, &n, error);
        if (err)
            return err;
        /* Whoever read standard output has gone: that is no failure. */
        if (!write_samples(o, n))
            return errno == EPIPE ? WEIR_ECANCELED
                                  : weir_fail(error, WEIR_EIO, "cannot write: %s", strerror(errno));
        if (n)
            at.us = o->samples[n - 1].ts.us + 1;
        job->done += n;
        weir_progress_set(&job->progress, job->done,
                          (double)job->done / (double)job->generator->n_samples);
        if (atomic_load(job->stop))
            return weir_fail(error, WEIR_ECANCELED, "interrupted");
    }
    return WEIR_OK;
}

static weir_err write_group(struct text_output *o, const weir_generator_group *group,
                            weir_error *error)
{
    const weir_catalog *c = o->job->generator->catalog;
    weir_err err = WEIR_OK;
    for (uint32_t i = 0; !err && i < group->n_tags; i++) {
        const weir_tag *tag = &c->tags[group->tags[i]];
        weir_generator_tag made;
        weir_text_clear(&o->name);
        weir_tag_name(c, tag, &o->name);
        o->unit = weir_tag_point(c, tag)->unit;
        err = weir_generator_tag_init(&made, o->job->generator, group, i, error);
        if (!err)
            err = write_tag(o, &made, error);
        weir_generator_tag_deinit(&made);
    }
    return err;
}

weir_err weir_generate_text(weir_generate_job *job, weir_generate_format format, weir_error *error)
{
    struct text_output o = {.job = job, .samples = weir_alloc(SAMPLES * sizeof *o.samples)};
    weir_err err = weir_sample_writer_init(
        &o.writer, stdout, format == WEIR_GENERATE_CSV ? WEIR_SAMPLES_CSV : WEIR_SAMPLES_JSONL,
        error);
    if (!err && !o.samples)
        err = weir_fail(error, WEIR_ENOMEM, "out of memory");
    for (size_t i = 0; !err && i < job->generator->n_groups; i++)
        err = write_group(&o, &job->generator->groups[i], error);
    weir_sample_writer_deinit(&o.writer);
    weir_free(o.samples);
    weir_text_deinit(&o.name);
    return err;
}
