/* Units of work: claimed in order, done in any, retired in order. */
#include "quant/ordered.h"
#include "libgguf/error.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { UNITS = 500 };

/* What is seen of a run. */
struct trace {
    struct ordered job;
    pthread_t caller;
    uint64_t claimed, retired, reported;
    atomic_int worked[UNITS];
    atomic_ullong in_flight;
    atomic_bool wrong; /* asserts end a test in its own thread only */
    uint64_t fails_at[3], stops_at, fails_to_retire;
};

static void expect(struct trace *t, bool right)
{
    if (!right)
        atomic_store(&t->wrong, true);
}

static void claim(void *context, uint64_t unit)
{
    struct trace *t = context;
    expect(t, unit == t->claimed++);
    expect(t, atomic_fetch_add(&t->in_flight, 1) < t->job.window);
}

/* Takes a time that differs from unit to unit, so that threads overtake each other. */
static enum gguf_status work(void *context, uint64_t unit, int thread, struct gguf_error *err)
{
    struct trace *t = context;
    expect(t, thread >= 0 && thread < quant_ordered_threads(&t->job));
    expect(t, thread != 0 || pthread_equal(pthread_self(), t->caller));
    for (volatile uint64_t i = 0; i < unit * 2654435761u % 5000; i++)
        ;
    expect(t, atomic_fetch_add(&t->worked[unit], 1) == 0);
    for (size_t i = 0; i < 3; i++) {
        if (t->fails_at[i] == unit)
            return gguf_fail(err, GGUF_ERR_DATA, unit, "unit %d", (int)unit);
    }
    return GGUF_OK;
}

static enum gguf_status retire(void *context, uint64_t unit, struct gguf_error *err)
{
    struct trace *t = context;
    expect(t, unit == t->retired++);
    expect(t, atomic_load(&t->worked[unit]) == 1);
    if (unit == t->fails_to_retire)
        return gguf_fail(err, GGUF_ERR_IO, unit, "retiring %d", (int)unit);
    atomic_fetch_sub(&t->in_flight, 1);
    return GGUF_OK;
}

static enum gguf_status report(void *context, uint64_t retired, struct gguf_error *err)
{
    struct trace *t = context;
    expect(t, pthread_equal(pthread_self(), t->caller));
    expect(t, retired > t->reported && retired <= t->job.units);
    t->reported = retired;
    if (retired >= t->stops_at)
        return gguf_fail(err, GGUF_ERR_CANCELLED, GGUF_NO_OFFSET, "stopped");
    return GGUF_OK;
}

static struct trace *new_trace(uint64_t units, int threads, uint64_t window)
{
    struct trace *t = calloc(1, sizeof *t);
    t->job = (struct ordered){.units = units,
                              .threads = threads,
                              .window = window,
                              .context = t,
                              .claim = claim,
                              .work = work,
                              .retire = retire,
                              .report = report};
    t->caller = pthread_self();
    t->stops_at = t->fails_to_retire = UINT64_MAX;
    for (size_t i = 0; i < 3; i++)
        t->fails_at[i] = UINT64_MAX;
    return t;
}

/* Threads and windows, the narrowest too. */
static const struct {
    int threads;
    uint64_t window;
} teams[] = {{1, 1}, {1, 8}, {2, 1}, {2, 3}, {4, 2}, {4, 16}, {16, 5}, {16, 40}};
#define N_TEAMS (sizeof teams / sizeof teams[0])

static void all_units_in_order(void **state)
{
    static const uint64_t counts[] = {0, 1, 2, 7, UNITS};
    (void)state;
    for (size_t i = 0; i < N_TEAMS * 5; i++) {
        uint64_t units = counts[i / N_TEAMS];
        struct trace *t =
            new_trace(units, teams[i % N_TEAMS].threads, teams[i % N_TEAMS].window);
        struct gguf_error err;
        assert_int_equal(quant_ordered_run(&t->job, &err), GGUF_OK);
        assert_int_equal(t->claimed, units);
        assert_int_equal(t->retired, units);
        assert_int_equal(t->reported, units);
        assert_false(t->wrong);
        free(t);
    }
}

static void the_first_failure_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_TEAMS; i++) {
        struct trace *t = new_trace(UNITS, teams[i].threads, teams[i].window);
        struct gguf_error err;
        t->fails_at[0] = 301;
        t->fails_at[1] = 300;
        t->fails_at[2] = 303;
        assert_int_equal(quant_ordered_run(&t->job, &err), GGUF_ERR_DATA);
        assert_string_equal(err.message, "unit 300");
        assert_int_equal(err.offset, 300);
        assert_true(t->retired <= 300);
        assert_true(t->claimed < 300 + t->job.window + 1);
        for (size_t u = 0; u <= 300; u++)
            assert_int_equal(t->worked[u], 1);
        assert_false(t->wrong);
        free(t);
    }
}

static void a_unit_may_fail_to_retire(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_TEAMS; i++) {
        struct trace *t = new_trace(UNITS, teams[i].threads, teams[i].window);
        t->fails_to_retire = 200;
        t->fails_at[0] = 400; /* never reached before, unless the window is wide */
        struct gguf_error err;
        assert_int_equal(quant_ordered_run(&t->job, &err), GGUF_ERR_IO);
        assert_string_equal(err.message, "retiring 200");
        assert_int_equal(t->retired, 201); /* none after it */
        assert_false(t->wrong);
        free(t);
    }
}

static void the_caller_stops_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_TEAMS; i++) {
        struct trace *t = new_trace(UNITS, teams[i].threads, teams[i].window);
        struct gguf_error err;
        t->stops_at = 100;
        assert_int_equal(quant_ordered_run(&t->job, &err), GGUF_ERR_CANCELLED);
        assert_true(t->reported >= 100 && t->claimed <= UNITS);
        assert_false(t->wrong);
        free(t);
    }
}

static void no_more_threads_than_units(void **state)
{
    struct ordered job = {.units = 3, .threads = 8};
    (void)state;
    assert_int_equal(quant_ordered_threads(&job), 3);
    job.units = UINT64_MAX;
    assert_int_equal(quant_ordered_threads(&job), 8);
    job.threads = 0;
    assert_true(quant_ordered_threads(&job) >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_units_in_order),
        cmocka_unit_test(the_first_failure_is_told),
        cmocka_unit_test(a_unit_may_fail_to_retire),
        cmocka_unit_test(the_caller_stops_it),
        cmocka_unit_test(no_more_threads_than_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
