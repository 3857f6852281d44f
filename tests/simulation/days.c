/* SPDX-License-Identifier: MIT */
/* simulate-days: days of a collector's life with faults drawn from a seed; exits 1 on a violation.
 */

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/number.h"
#include "simulation/world.h"

static const char usage[] =
    "usage: simulate-days --seed N --days D [--devices 20] [--points 1] [--interval 10s]\n"
    "                     [--max-loss 60s] [--store SETTINGS] [--faults 6] [--bit-flips]\n"
    "                     [--sinks 0-4] [--only FAULT] [--plant BUG]\n"
    "  --faults     a day, on average\n"
    "  --only       one kind of fault\n"
    "  --store      more of the configuration's store: \"retention: 30d\"\n"
    "  --sinks      databases and files that all is delivered to, with faults of their own\n"
    "  --plant BUG  no-sync: the disk ignores syncs; lost-backlog: live rows go first, and what\n"
    "               they overtook is forgotten. A judge that does not find it is no judge\n";

#define FAULT_LIST(X)                         \
    X(DEVICE_SILENT, "device-silent")         \
    X(DEVICE_REFUSING, "device-refusing")     \
    X(DEVICE_BUSY, "device-busy")             \
    X(GATEWAY_EXCEPTION, "gateway-exception") \
    X(REPLIES_LATE, "replies-late")           \
    X(REPLIES_LOST, "replies-lost")           \
    X(REPLIES_GARBLED, "replies-garbled")     \
    X(REPLIES_CUT, "replies-cut")             \
    X(LINKS_DROP, "links-drop")               \
    X(LINKS_VANISH, "links-vanish")           \
    X(LINKS_HANG_UP, "links-hang-up")         \
    X(CONNECT_REFUSED, "connect-refused")     \
    X(CLOCK_STEP, "clock-step")               \
    X(STOP, "stop")                           \
    X(KILL, "kill")                           \
    X(KILL_WITHIN, "kill-within")             \
    X(POWER_CUT, "power-cut")                 \
    X(POWER_CUT_WITHIN, "power-cut-within")   \
    X(DISK_FULL, "disk-full")                 \
    X(WRITE_FAILS, "write-fails")             \
    X(WRITES_FAIL, "writes-fail")             \
    X(SYNC_FAILS, "sync-fails")               \
    X(SYNCS_FAIL, "syncs-fail")               \
    X(SYNC_SLOW, "sync-slow")                 \
    X(DISK_READ_ONLY, "disk-read-only")       \
    X(BIT_FLIP, "bit-flip")                   \
    X(SINK_OFFLINE, "sink-offline")           \
    X(SINK_REFUSING, "sink-refusing")         \
    X(SINK_BUSY, "sink-busy")                 \
    X(SINK_FULL, "sink-full")                 \
    X(SINK_MUTE, "sink-mute")                 \
    X(SINK_TORN, "sink-torn")                 \
    X(SINK_SILENT, "sink-silent")             \
    X(SINK_SLOW, "sink-slow")                 \
    X(SINK_TOO_LARGE, "sink-too-large")

enum fault {
#define X(name, text) name,
    FAULT_LIST(X)
#undef X
        N_FAULTS
};

static const char *const fault_names[] = {
#define X(name, text) text,
    FAULT_LIST(X)
#undef X
};

struct options {
    uint64_t seed;
    int64_t days;
    sim_world_config world;
    double faults_a_day;
    bool bit_flips, plants_no_sync;
    int only; /* -1: all */
};

struct run {
    struct options options;
    sim_world world;
    weir_random random;
    weir_mono fault_next, heal_at, restart_at;
    bool heals;             /* something is to be healed at heal_at */
    bool ends_by_power;     /* when the disk stops in the midst of a change */
    weir_mono stopped_for;  /* give up waiting for a change by then */
    weir_mono sink_heal_at; /* sinks' faults last beside those of the others */
    int64_t clock_error;    /* of the wall clock, so that steps do not add up */
    uint64_t n_faults, n_of[N_FAULTS];
};

/* --- faults ------------------------------------------------------------------------------- */

static int64_t draw(struct run *r, int64_t from_us, int64_t to_us)
{
    return from_us + (int64_t)weir_random_below(&r->random, (uint64_t)(to_us - from_us));
}

static void heal_after(struct run *r, int64_t from_us, int64_t to_us)
{
    r->heals = true;
    r->heal_at = weir_mono_add(r->world.now, draw(r, from_us, to_us));
}

static void heal(struct run *r)
{
    sim_world *w = &r->world;
    w->network.faults = (sim_network_faults){0};
    memset(w->units, 0, sizeof w->units);
    fault_vfs_heal(w->disk);
    fault_vfs_set_capacity(w->disk, 0);
    if (w->is_disk_faulty)
        w->disk_well_since = w->now;
    w->is_disk_faulty = false;
    r->heals = false;
}

/* A part of all units, one at least. */
static void some_units(struct run *r, sim_unit_state state)
{
    const uint64_t part = 1 + weir_random_below(&r->random, 8);
    for (unsigned unit = 1; unit <= r->world.config.devices; unit++)
        if (weir_random_below(&r->random, part) == 0)
            r->world.units[unit] = state;
    r->world.units[1 + weir_random_below(&r->random, r->world.config.devices)] = state;
    heal_after(r, WEIR_S, WEIR_HOUR);
}

static void network_fault(struct run *r, double *chance)
{
    *chance = weir_random_unit(&r->random);
    r->world.network.faults.late_us = draw(r, 50 * WEIR_MS, 3 * WEIR_S);
    heal_after(r, WEIR_S, WEIR_HOUR);
}

static void disk_fault(struct run *r, fault_rule rule, int64_t longest_us)
{
    rule.nth = 1 + weir_random_below(&r->random, 40);
    fault_vfs_fail(r->world.disk, rule);
    r->world.is_disk_faulty = true;
    heal_after(r, WEIR_MINUTE, longest_us);
}

/* Down from now on, for a moment or for an hour. */
static void is_down(struct run *r)
{
    r->restart_at = weir_mono_add(r->world.now, weir_random_below(&r->random, 4) == 0
                                                    ? draw(r, WEIR_S, WEIR_HOUR)
                                                    : draw(r, 0, 2 * WEIR_S));
}

static void end_life(struct run *r, bool by_power)
{
    if (by_power)
        sim_world_power_cut(&r->world);
    else
        sim_world_kill(&r->world);
    is_down(r);
}

static void end_within_change(struct run *r, bool by_power)
{
    fault_vfs_stop_after(r->world.disk, weir_random_below(&r->random, 60));
    r->ends_by_power = by_power;
    r->stopped_for = weir_mono_add(r->world.now, WEIR_HOUR);
}

static void step_clock(struct run *r)
{
    const int64_t error = draw(r, -2 * WEIR_HOUR, 2 * WEIR_HOUR);
    sim_world_step_clock(&r->world, error - r->clock_error);
    r->clock_error = error;
}

static void flip_bit(struct run *r)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/data.db", r->world.folder);
    const int64_t size = fault_vfs_size(r->world.disk, path);
    if (size > 0)
        (void)fault_vfs_flip(r->world.disk, path, draw(r, 0, size * 8));
}

/* --- sinks' faults ------------------------------------------------------------------------ */

static void sinks_heal(struct run *r)
{
    for (unsigned i = 0; i < r->world.n_sinks; i++) {
        script_server *server = &r->world.sinks[i].server;
        server->mood = SCRIPT_WELL;
        server->rows_max = 0;
        server->send_us = 3 * WEIR_MS;
        server->row_us = 30;
    }
    r->sink_heal_at = WEIR_MONO_NEVER;
}

static void sink_fault(struct run *r, enum fault fault)
{
    static const script_mood moods[] = {SCRIPT_OFFLINE, SCRIPT_REFUSING, SCRIPT_BUSY,  SCRIPT_FULL,
                                        SCRIPT_MUTE,    SCRIPT_TORN,     SCRIPT_SILENT};
    sim_sink *s = &r->world.sinks[weir_random_below(&r->random, r->world.n_sinks)];
    script_server *server = &s->server;
    r->sink_heal_at = weir_mono_add(r->world.now, draw(r, WEIR_S, 6 * WEIR_HOUR));
    server->names_bad = weir_random_below(&r->random, 2);
    server->retry_after_us = draw(r, 0, WEIR_MINUTE);
    server->says_rows_max = weir_random_below(&r->random, 2);
    if (fault == SINK_SLOW) {
        server->send_us = draw(r, 10 * WEIR_MS, 20 * WEIR_S);
        server->row_us = draw(r, 0, 100 * WEIR_MS);
    } else if (fault == SINK_TOO_LARGE) {
        server->rows_max = 1 + weir_random_below(&r->random, 100);
    } else {
        server->mood = moods[fault - SINK_OFFLINE];
        /* A file that goes on without an answer would know what it has. */
        if (s->config.type->resume && (fault == SINK_MUTE || fault == SINK_TORN))
            server->mood = SCRIPT_FULL;
    }
}

static void inject(struct run *r, enum fault fault)
{
    sim_world *w = &r->world;
    sim_network_faults *net = &w->network.faults;
    r->n_faults++;
    r->n_of[fault]++;
    switch (fault) {
    case DEVICE_SILENT:
        some_units(r, SIM_UNIT_SILENT);
        return;
    case DEVICE_REFUSING:
        some_units(r, SIM_UNIT_REFUSING);
        return;
    case DEVICE_BUSY:
        some_units(r, SIM_UNIT_BUSY);
        return;
    case GATEWAY_EXCEPTION:
        some_units(r, SIM_UNIT_DEAD);
        return;
    case REPLIES_LATE:
        network_fault(r, &net->late_reply);
        return;
    case REPLIES_LOST:
        network_fault(r, &net->lose_reply);
        return;
    case REPLIES_GARBLED:
        network_fault(r, &net->garble_reply);
        return;
    case REPLIES_CUT:
        network_fault(r, &net->cut_reply);
        return;
    case LINKS_DROP:
        network_fault(r, &net->drop_link);
        return;
    case LINKS_VANISH:
        sim_network_vanish(&w->network);
        return;
    case LINKS_HANG_UP:
        sim_network_hang_up(&w->network);
        return;
    case CONNECT_REFUSED:
        network_fault(r, &net->refuse_connect);
        sim_network_hang_up(&w->network);
        return;
    case CLOCK_STEP:
        step_clock(r);
        return;
    case STOP:
        if (!sim_world_stop(w) && !w->is_disk_faulty)
            sim_world_violation(w, "the last commit failed on a sound disk");
        is_down(r);
        return;
    case KILL:
        end_life(r, false);
        return;
    case KILL_WITHIN:
        end_within_change(r, false);
        return;
    case POWER_CUT:
        end_life(r, true);
        return;
    case POWER_CUT_WITHIN:
        end_within_change(r, true);
        return;
    case DISK_FULL:
        fault_vfs_set_capacity(w->disk, fault_vfs_used(w->disk) + draw(r, 1, 1 << 20));
        w->is_disk_faulty = true;
        heal_after(r, WEIR_MINUTE, 6 * WEIR_HOUR);
        return;
    case WRITE_FAILS:
        disk_fault(r, (fault_rule){.ops = FAULT_WRITE, .is_short = r->n_faults % 2}, WEIR_HOUR);
        return;
    case WRITES_FAIL:
        disk_fault(r, (fault_rule){.ops = FAULT_WRITE, .persistent = true}, WEIR_HOUR);
        return;
    case SYNC_FAILS:
        disk_fault(r, (fault_rule){.ops = FAULT_SYNC}, WEIR_HOUR);
        return;
    case SYNCS_FAIL:
        disk_fault(r, (fault_rule){.ops = FAULT_SYNC, .persistent = true}, WEIR_HOUR);
        return;
    case SYNC_SLOW:
        fault_vfs_set_sync_time(w->disk, draw(r, 10 * WEIR_MS, 5 * WEIR_S));
        w->is_disk_faulty = true;
        heal_after(r, WEIR_MINUTE, WEIR_HOUR);
        return;
    case DISK_READ_ONLY:
        fault_vfs_set_read_only(w->disk, true);
        w->is_disk_faulty = true;
        heal_after(r, WEIR_MINUTE, WEIR_HOUR);
        return;
    case BIT_FLIP:
        flip_bit(r);
        return;
    case SINK_OFFLINE:
    case SINK_REFUSING:
    case SINK_BUSY:
    case SINK_FULL:
    case SINK_MUTE:
    case SINK_TORN:
    case SINK_SILENT:
    case SINK_SLOW:
    case SINK_TOO_LARGE:
        sink_fault(r, fault);
        return;
    case N_FAULTS:
        return;
    }
}

static enum fault draw_fault(struct run *r)
{
    if (r->options.only >= 0)
        return (enum fault)r->options.only;
    enum fault fault;
    do {
        fault =
            (enum fault)weir_random_below(&r->random, r->world.n_sinks ? N_FAULTS : SINK_OFFLINE);
    } while (fault == BIT_FLIP && !r->options.bit_flips);
    return fault;
}

/* --- time --------------------------------------------------------------------------------- */

static void plan_fault(struct run *r)
{
    const int64_t mean = (int64_t)((double)WEIR_DAY / r->options.faults_a_day);
    r->fault_next = weir_mono_add(r->world.now, draw(r, 0, 2 * mean));
}

/* As a service manager does: again every ten seconds. It must come back on a sound disk. */
static void restart(struct run *r)
{
    sim_world *w = &r->world;
    weir_error error = WEIR_ERROR_INIT;
    if (sim_world_start(w, &error)) {
        fault_vfs_ignore_syncs(w->disk, r->options.plants_no_sync);
        return;
    }
    if (!w->is_disk_faulty)
        sim_world_violation(w, "cannot start: %s", error.text);
    r->restart_at = weir_mono_add(w->now, 10 * WEIR_S);
}

static void step(struct run *r, weir_mono until)
{
    sim_world *w = &r->world;
    weir_mono next = weir_mono_min(until, r->fault_next);
    if (r->heals)
        next = weir_mono_min(next, r->heal_at);
    if (!w->is_running)
        next = weir_mono_min(next, r->restart_at);
    next = weir_mono_min(next, r->sink_heal_at);
    sim_world_step(w, next);
    if (fault_vfs_stopped(w->disk)) {
        end_life(r, r->ends_by_power);
        r->stopped_for = WEIR_MONO_NEVER;
    }
    if (r->heals && weir_mono_reached(w->now, r->heal_at))
        heal(r);
    if (weir_mono_reached(w->now, r->sink_heal_at))
        sinks_heal(r);
    if (!w->is_running && weir_mono_reached(w->now, r->restart_at))
        restart(r);
    if (weir_mono_reached(w->now, r->fault_next)) {
        /* One thing at a time is healed; what ends a process needs one. */
        const bool is_free = !r->heals && r->stopped_for.us == INT64_MAX;
        const bool sinks_are_free = w->n_sinks > 0 && r->sink_heal_at.us == INT64_MAX;
        const enum fault fault = is_free || sinks_are_free ? draw_fault(r) : N_FAULTS;
        if (w->is_running && (fault >= SINK_OFFLINE ? sinks_are_free : is_free))
            inject(r, fault);
        plan_fault(r);
    }
}

/* The day's samples, and one tag of a day long checked. */
static void check_day(struct run *r, int64_t day)
{
    sim_world *w = &r->world;
    sim_world_check(w);
    const int64_t first = w->ledger.first_day + 2;
    const int64_t age = (int64_t)weir_random_below(&r->random, (uint64_t)day + 1);
    sim_world_check_day(w, first + age,
                        (uint32_t)weir_random_below(&r->random, w->catalog->n_tags));
}

static double seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void say(const struct run *r, int64_t days, const char *end)
{
    const sim_world *w = &r->world;
    (void)printf("days %" PRId64 ", faults %" PRIu64 ", lost %" PRIu64 ", invented %" PRIu64
                 ", violations %" PRIu64 "%s",
                 days, r->n_faults, w->lost, w->invented, w->violations, end);
    (void)fflush(stdout);
}

/* After which a sink has got all, whatever was: its longest back-off, and a day's backlog. */
static const int64_t sinks_time_us = 15 * WEIR_MINUTE;

static int simulate(struct run *r)
{
    sim_world *w = &r->world;
    const double began = seconds();
    sim_world_open(w, &r->options.world);
    r->random.state = r->options.seed ^ 0xfa017;
    r->heal_at = r->stopped_for = r->sink_heal_at = WEIR_MONO_NEVER;
    restart(r);
    plan_fault(r);
    int64_t day = 0;
    while (day < r->options.days && w->violations == 0) {
        const weir_mono end = weir_mono_add(w->now, WEIR_DAY);
        while (w->now.us < end.us && w->violations == 0)
            step(r, end);
        check_day(r, day++);
        if (day % 100 == 0) {
            say(r, day, "");
            (void)printf("; %" PRIu64 " samples, %" PRId64 " MB, %.0f s\n", w->n_samples,
                         fault_vfs_used(w->disk) / 1000000, seconds() - began);
        }
    }
    heal(r);
    fault_vfs_stop_after(w->disk, UINT64_MAX - 1);
    if (!w->is_running)
        restart(r);
    sinks_heal(r);
    if (w->is_running && w->n_sinks > 0) {
        sim_world_run(w, sinks_time_us);
        sim_sinks_check(w);
    }
    if (w->is_running && !sim_world_stop(w))
        sim_world_violation(w, "the last commit failed on a sound disk");
    sim_world_check(w);
    sim_world_verify(w);
    for (int i = 0; i < N_FAULTS; i++)
        if (r->n_of[i])
            (void)printf("%s %" PRIu64 "%s", fault_names[i], r->n_of[i],
                         i + 1 < N_FAULTS ? ", " : "");
    (void)printf("\nlives %" PRIu64 ", samples %" PRIu64 ", good %" PRIu64
                 ", longest loss %.1f s, %.1f bytes a sample, trace %016" PRIx64 "\n",
                 w->n_lives, w->n_samples, w->n_good, (double)w->longest_loss_us / 1e6,
                 (double)fault_vfs_used(w->disk) / (double)(w->n_samples + 1), w->trace);
    say(r, day, "\n");
    const bool is_well = w->violations == 0;
    sim_world_close(w);
    return is_well ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* --- options ------------------------------------------------------------------------------ */

static bool parse_duration(const char *text, int64_t *ret)
{
    char *end;
    const long long n = strtoll(text, &end, 10);
    *ret = n * (strcmp(end, "ms") == 0  ? WEIR_MS
                : strcmp(end, "m") == 0 ? WEIR_MINUTE
                : strcmp(end, "h") == 0 ? WEIR_HOUR
                                        : WEIR_S);
    return n > 0 && (strcmp(end, "ms") == 0 || strcmp(end, "m") == 0 || strcmp(end, "h") == 0 ||
                     strcmp(end, "s") == 0);
}

static bool parse_only(const char *text, int *ret)
{
    for (int i = 0; i < N_FAULTS; i++) {
        if (strcmp(text, fault_names[i]) == 0) {
            *ret = i;
            return true;
        }
    }
    (void)fprintf(stderr, "no fault '%s'; there are:\n", text);
    for (int i = 0; i < N_FAULTS; i++)
        (void)fprintf(stderr, "  %s\n", fault_names[i]);
    return false;
}

static bool parse_number(const char *text, int64_t *ret)
{
    return weir_parse_i64(text, ret) && *ret >= 0;
}

enum {
    SEED = 1,
    DAYS,
    DEVICES,
    POINTS,
    SINKS,
    INTERVAL,
    MAX_LOSS,
    STORE,
    FAULTS,
    FLIPS,
    ONLY,
    PLANT
};

static bool parse_option(struct options *o, int option, const char *text)
{
    int64_t n = 0;
    const bool is_number = (option <= SINKS || option == FAULTS) ? parse_number(text, &n) : true;
    switch (option) {
    case SEED:
        o->seed = (uint64_t)n;
        break;
    case DAYS:
        o->days = n;
        break;
    case DEVICES:
        o->world.devices = (unsigned)n;
        return is_number && n > 0 && n < SIM_UNITS_MAX;
    case POINTS:
        o->world.points = (unsigned)n;
        return is_number && n > 0 && n <= SIM_POINTS_MAX;
    case SINKS:
        o->world.sinks = (unsigned)n;
        return is_number && n <= SIM_SINKS_MAX;
    case INTERVAL:
        return parse_duration(text, &o->world.interval_us);
    case MAX_LOSS:
        return parse_duration(text, &o->world.max_loss_us);
    case STORE:
        o->world.store = text;
        break;
    case FAULTS:
        o->faults_a_day = (double)n;
        return is_number && n > 0;
    case FLIPS:
        o->bit_flips = true;
        break;
    case ONLY:
        return parse_only(text, &o->only);
    case PLANT:
        o->plants_no_sync = strcmp(text, "no-sync") == 0;
        o->world.plants_lost_backlog = strcmp(text, "lost-backlog") == 0;
        return o->plants_no_sync || o->world.plants_lost_backlog;
    default:
        return false;
    }
    return is_number;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, SEED},
        {"days", required_argument, NULL, DAYS},
        {"devices", required_argument, NULL, DEVICES},
        {"points", required_argument, NULL, POINTS},
        {"sinks", required_argument, NULL, SINKS},
        {"interval", required_argument, NULL, INTERVAL},
        {"max-loss", required_argument, NULL, MAX_LOSS},
        {"store", required_argument, NULL, STORE},
        {"faults", required_argument, NULL, FAULTS},
        {"bit-flips", no_argument, NULL, FLIPS},
        {"only", required_argument, NULL, ONLY},
        {"plant", required_argument, NULL, PLANT},
        {0},
    };
    static struct run run;
    run.options = (struct options){.seed = 1,
                                   .days = 10,
                                   .faults_a_day = 6,
                                   .only = -1,
                                   .world = {.devices = 20,
                                             .points = 1,
                                             .connections = 4,
                                             .interval_us = 10 * WEIR_S,
                                             .max_loss_us = 60 * WEIR_S,
                                             .devices_us = WEIR_HOUR,
                                             .says_all = true}};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (!parse_option(&run.options, option, optarg)) {
            (void)fputs(usage, stderr);
            return 2;
        }
    }
    run.options.world.seed = run.options.seed;
    return simulate(&run);
}
