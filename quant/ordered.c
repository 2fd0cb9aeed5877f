/* A team of threads, and the order of what it does. */
#include "quant/ordered.h"
#include "libgguf/error.h"

#include <omp.h>
#include <pthread.h>
#include <stdlib.h>

/* Everything below `lock` is read and changed by who holds it. */
struct team {
    const struct ordered *job;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t next;           /* unit to be claimed */
    uint64_t retired;        /* units before this one are done with */
    bool *ready;             /* by unit % window: worked on, not retired */
    bool retiring;           /* a thread is at it */
    bool full;               /* nobody claims until half of the window is free */
    uint64_t failed;         /* the first unit that failed, or UINT64_MAX */
    struct gguf_error error; /* its error */
    uint64_t reported;       /* by the calling thread alone, without the lock */
};

int quant_ordered_threads(const struct ordered *job)
{
    int threads = job->threads > 0 ? job->threads : omp_get_max_threads();
    return job->units < (uint64_t)threads ? (int)job->units : threads;
}

/* Nothing is claimed after this; what was claimed before `unit` is still done. */
static void fail(struct team *t, uint64_t unit, const struct gguf_error *error)
{
    pthread_mutex_lock(&t->lock);
    if (unit < t->failed) {
        t->failed = unit;
        t->error = *error;
    }
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

/* A wish of the caller's comes before any failure. */
static void report(struct team *t, uint64_t retired)
{
    struct gguf_error error;
    if (retired == t->reported)
        return;
    t->reported = retired;
    if (t->job->report(t->job->context, retired, &error))
        fail(t, 0, &error);
}

static bool may_claim(const struct team *t)
{
    return t->failed == UINT64_MAX && t->next < t->job->units;
}

static bool is_full(struct team *t)
{
    if (t->next - t->retired >= t->job->window)
        t->full = true;
    return t->full;
}

/* The next unit, as soon as there is room in the window; false if there is none to do. */
static bool claim(struct team *t, uint64_t *unit)
{
    const struct ordered *job = t->job;
    pthread_mutex_lock(&t->lock);
    while (may_claim(t) && is_full(t))
        pthread_cond_wait(&t->changed, &t->lock);
    bool any = may_claim(t);
    if (any) {
        *unit = t->next++;
        if (job->claim)
            job->claim(job->context, *unit);
    }
    pthread_mutex_unlock(&t->lock);
    return any;
}

/* Threads that wait are woken once for several units. */
static void wake(struct team *t)
{
    uint64_t in_flight = t->next - t->retired;
    if (t->full && in_flight > t->job->window / 2)
        return;
    t->full = false;
    pthread_cond_broadcast(&t->changed);
}

/* Retires one unit, if the next one is ready; called and left with the lock. */
static bool retire_next(struct team *t, bool calling)
{
    const struct ordered *job = t->job;
    struct gguf_error error;
    uint64_t unit = t->retired;
    if (unit >= t->next || unit >= t->failed || !t->ready[unit % job->window])
        return false;
    pthread_mutex_unlock(&t->lock);
    if (job->retire(job->context, unit, &error))
        fail(t, unit, &error);
    else if (calling)
        report(t, unit + 1);
    pthread_mutex_lock(&t->lock);
    t->ready[unit % job->window] = false;
    t->retired = unit + 1;
    wake(t);
    return true;
}

/* Whoever makes the next unit ready retires it and what waits behind it; others go on.
 * Answers how many are retired then. */
static uint64_t deliver(struct team *t, uint64_t unit, bool calling)
{
    pthread_mutex_lock(&t->lock);
    t->ready[unit % t->job->window] = true;
    if (!t->retiring) {
        t->retiring = true;
        while (retire_next(t, calling))
            ;
        t->retiring = false;
    }
    uint64_t retired = t->retired;
    pthread_mutex_unlock(&t->lock);
    return retired;
}

/* The calling thread stays until all is retired, to report. */
static void attend(struct team *t)
{
    uint64_t retired;
    do {
        pthread_mutex_lock(&t->lock);
        while (t->failed == UINT64_MAX && t->retired == t->reported &&
               t->retired < t->job->units)
            pthread_cond_wait(&t->changed, &t->lock);
        retired = t->failed == UINT64_MAX ? t->retired : t->job->units;
        bool failed = t->failed != UINT64_MAX;
        pthread_mutex_unlock(&t->lock);
        if (!failed)
            report(t, retired);
    } while (retired < t->job->units);
}

static void work(struct team *t, int thread)
{
    const struct ordered *job = t->job;
    bool calling = thread == 0;
    uint64_t unit;
    while (claim(t, &unit)) {
        struct gguf_error error;
        if (job->work(job->context, unit, thread, &error)) {
            fail(t, unit, &error);
            continue;
        }
        uint64_t retired = deliver(t, unit, calling);
        if (calling)
            report(t, retired);
    }
    if (calling)
        attend(t);
}

enum gguf_status quant_ordered_run(const struct ordered *job, struct gguf_error *err)
{
    struct team team = {.job = job,
                        .lock = PTHREAD_MUTEX_INITIALIZER,
                        .changed = PTHREAD_COND_INITIALIZER,
                        .failed = UINT64_MAX};
    if (job->units == 0)
        return GGUF_OK;
    team.ready = calloc((size_t)job->window, sizeof *team.ready);
    if (!team.ready)
        return gguf_fail_memory(err);
#pragma omp parallel num_threads(quant_ordered_threads(job))
    work(&team, omp_get_thread_num());
    free(team.ready);
    pthread_cond_destroy(&team.changed);
    pthread_mutex_destroy(&team.lock);
    if (team.failed == UINT64_MAX)
        return GGUF_OK;
    if (err)
        *err = team.error;
    return team.error.status;
}
