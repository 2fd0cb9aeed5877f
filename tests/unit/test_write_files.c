/*
 * What is on the disk while a file is written and after something went wrong. With the
 * argument --write it only writes a small model, for tests/faults.
 */
#ifdef __linux__
#define _GNU_SOURCE /* unshare, for a full disk of its own */
#include <sched.h>
#include <sys/mount.h>
#endif
#include "tests/unit/write_models.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#define N_BYTES (UINT64_C(64) * 1024)

/* Two tensors, not begun. */
static struct gguf_writer *declare(const char *path, bool overwrite)
{
    struct gguf_error err = {0};
    struct gguf_writer *w = NULL;
    struct gguf_writer_options options = {.overwrite = overwrite};
    must(gguf_writer_new(&w, path, &options, &err), &err);
    add(w, "a", GGUF_I8, N_BYTES);
    add(w, "b", GGUF_I8, N_BYTES);
    return w;
}

/* Half of a tensor, from `offset` on. */
static void write_half(struct gguf_writer *w, size_t tensor, uint64_t offset)
{
    struct gguf_error err = {0};
    unsigned char data[N_BYTES / 2];
    for (uint64_t i = 0; i < sizeof data; i++)
        data[i] = pattern(tensor, offset + i);
    must(gguf_writer_write(w, tensor, offset, data, sizeof data, &err), &err);
}

static void write_rest(struct gguf_writer *w)
{
    write_half(w, 0, N_BYTES / 2);
    write_half(w, 1, 0);
    write_half(w, 1, N_BYTES / 2);
}

/* Begun, with half of the first tensor written. */
static struct gguf_writer *halfway(const char *path, bool overwrite)
{
    struct gguf_error err = {0};
    struct gguf_writer *w = declare(path, overwrite);
    must(gguf_writer_begin(w, &err), &err);
    write_half(w, 0, 0);
    return w;
}

static void assert_complete(const char *path)
{
    struct gguf *model = open_model(path);
    assert_int_equal(gguf_tensor_count(model), 2);
    assert_patterns(model);
    gguf_close(model);
}

/* ---- Incomplete ------------------------------------------------------------------ */

static void missing_bytes_are_an_error(void **state)
{
    struct scratch *s = *state;
    struct gguf_error err = {0};
    struct gguf_writer *w = halfway(scratch_path(s, "x"), false);
    assert_int_equal(gguf_writer_finish(w, &err), GGUF_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "32768 of its 65536"));
    assert_int_equal(access(scratch_path(s, "x"), F_OK), -1);
    write_rest(w);
    must(gguf_writer_finish(w, &err), &err);
    assert_int_equal(gguf_writer_finish(w, &err), GGUF_ERR_ARGUMENT);
    assert_int_equal(gguf_writer_begin(w, &err), GGUF_ERR_ARGUMENT);
    gguf_writer_abandon(w); /* too late to change anything */
    gguf_writer_free(w);
    assert_complete(scratch_path(s, "x"));
    assert_int_equal(scratch_count(s), 1);
}

static void bytes_outside_a_tensor_are_refused(void **state)
{
    struct scratch *s = *state;
    struct gguf_error err = {0};
    struct gguf_writer *w = halfway(scratch_path(s, "x"), false);
    unsigned char data[2] = {0};
    assert_int_equal(gguf_writer_write(w, 2, 0, data, 1, &err), GGUF_ERR_ARGUMENT);
    assert_int_equal(gguf_writer_write(w, 0, N_BYTES - 1, data, 2, &err), GGUF_ERR_ARGUMENT);
    assert_int_equal(gguf_writer_write(w, 0, UINT64_MAX, data, 2, &err), GGUF_ERR_ARGUMENT);
    gguf_writer_free(w);
    gguf_writer_free(NULL);
    gguf_writer_abandon(NULL);
}

static void free_and_abandon_leave_nothing(void **state)
{
    struct scratch *s = *state;
    struct gguf_writer *w = halfway(scratch_path(s, "x"), true);
    assert_int_equal(scratch_count(s), 1);
    gguf_writer_free(w);
    assert_int_equal(scratch_count(s), 0);
    w = halfway(scratch_path(s, "x"), true);
    gguf_writer_abandon(w);
    assert_int_equal(scratch_count(s), 0);
    gguf_writer_free(w);
}

/* ---- Targets --------------------------------------------------------------------- */

static void assert_begin_fails(const char *path, bool overwrite, enum gguf_status expected)
{
    struct gguf_error err = {0};
    struct gguf_writer *w = declare(path, overwrite);
    assert_int_equal(gguf_writer_begin(w, &err), expected);
    assert_int_equal(err.status, expected);
    assert_non_null(strstr(err.message, path));
    gguf_writer_free(w);
}

static void an_existing_target_is_kept(void **state)
{
    struct scratch *s = *state;
    struct gguf_error err = {0};
    scratch_write(scratch_path(s, "x"), "old");
    assert_begin_fails(scratch_path(s, "x"), false, GGUF_ERR_EXISTS);
    struct gguf_writer *w = halfway(scratch_path(s, "y"), false);
    write_rest(w);
    scratch_write(scratch_path(s, "y"), "new");
    assert_int_equal(gguf_writer_finish(w, &err), GGUF_ERR_EXISTS);
    gguf_writer_free(w);
    assert_true(scratch_holds(scratch_path(s, "x"), "old"));
    assert_true(scratch_holds(scratch_path(s, "y"), "new"));
    assert_int_equal(scratch_count(s), 2);
}

static void overwriting_keeps_mode_and_link(void **state)
{
    struct scratch *s = *state;
    struct gguf_error err = {0};
    struct stat st;
    scratch_write(scratch_path(s, "x"), "old");
    assert_int_equal(chmod(scratch_path(s, "x"), 0640), 0);
    assert_int_equal(symlink("x", scratch_path(s, "link")), 0);
    struct gguf_writer *w = halfway(scratch_path(s, "link"), true);
    assert_true(scratch_holds(scratch_path(s, "x"), "old"));
    write_rest(w);
    must(gguf_writer_finish(w, &err), &err);
    gguf_writer_free(w);
    assert_complete(scratch_path(s, "x"));
    assert_int_equal(stat(scratch_path(s, "x"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(lstat(scratch_path(s, "link"), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(scratch_count(s), 2);
}

static void a_new_file_obeys_the_umask(void **state)
{
    struct scratch *s = *state;
    struct gguf_error err = {0};
    struct stat st;
    mode_t old = umask(027);
    struct gguf_writer *w = halfway(scratch_path(s, "x"), true);
    umask(old);
    write_rest(w);
    must(gguf_writer_finish(w, &err), &err);
    gguf_writer_free(w);
    assert_int_equal(stat(scratch_path(s, "x"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
}

static void only_regular_files_are_replaced(void **state)
{
    struct scratch *s = *state;
    struct gguf_error err = {0};
    struct gguf_writer *w = NULL;
    assert_int_equal(mkfifo(scratch_path(s, "fifo"), 0600), 0);
    assert_int_equal(symlink("nothing", scratch_path(s, "dangling")), 0);
    assert_begin_fails("/dev/null", true, GGUF_ERR_ARGUMENT);
    assert_begin_fails(s->dir, true, GGUF_ERR_ARGUMENT);
    assert_begin_fails(scratch_path(s, "fifo"), true, GGUF_ERR_ARGUMENT);
    assert_begin_fails(scratch_path(s, "dangling"), true, GGUF_ERR_ARGUMENT);
    assert_begin_fails(scratch_path(s, "no folder/x"), true, GGUF_ERR_IO);
    assert_begin_fails(scratch_path(s, "fifo/x"), true, GGUF_ERR_IO);
    assert_int_equal(gguf_writer_new(&w, "", NULL, &err), GGUF_ERR_ARGUMENT);
    assert_int_equal(gguf_writer_new(&w, "folder/", NULL, &err), GGUF_ERR_ARGUMENT);
    assert_null(w);
    assert_int_equal(scratch_count(s), 2);
}

/* 255 bytes, the longest name that file systems take; hidden names need room too. */
static void a_name_of_the_greatest_length(void **state)
{
    struct scratch *s = *state;
    struct gguf_error err = {0};
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    struct gguf_writer *w = halfway(scratch_path(s, name), false);
    write_rest(w);
    must(gguf_writer_finish(w, &err), &err);
    gguf_writer_free(w);
    assert_complete(scratch_path(s, name));
}

/* A begin that was refused may be tried again. */
static void begin_again(void **state)
{
    struct scratch *s = *state;
    struct gguf_error err = {0};
    struct gguf_writer *w = declare(scratch_path(s, "x"), false);
    scratch_write(scratch_path(s, "x"), "old");
    assert_int_equal(gguf_writer_begin(w, &err), GGUF_ERR_EXISTS);
    assert_int_equal(unlink(scratch_path(s, "x")), 0);
    assert_null(gguf_writer_temp_path(w, 0));
    must(gguf_writer_begin(w, &err), &err);
    assert_int_equal(access(gguf_writer_temp_path(w, 0), F_OK), 0);
    write_half(w, 0, 0);
    write_rest(w);
    must(gguf_writer_finish(w, &err), &err);
    assert_null(gguf_writer_temp_path(w, 0));
    gguf_writer_free(w);
    assert_complete(scratch_path(s, "x"));
}

/* ---- Space ----------------------------------------------------------------------- */

static void too_little_space_is_known_before(void **state)
{
    struct scratch *s = *state;
    struct gguf_error err = {0};
    struct gguf_writer *w = NULL;
    must(gguf_writer_new(&w, scratch_path(s, "x"), NULL, &err), &err);
    add(w, "a", GGUF_I8, UINT64_C(1) << 60);
    assert_int_equal(gguf_writer_begin(w, &err), GGUF_ERR_SPACE);
    assert_non_null(strstr(err.message, "1152921504606847040 bytes are needed"));
    gguf_writer_free(w);
    assert_int_equal(scratch_count(s), 0);
}

/* In a child with mounts of its own: a file system of 1 MiB. Answers 0 if all is as it
 * should be, 77 if mounting is not permitted. */
static bool mount_small(const char *dir)
{
#ifdef __linux__
    return unshare(CLONE_NEWNS) == 0 &&
           mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", dir, "tmpfs", 0, "size=1m") == 0;
#else
    (void)dir;
    return false;
#endif
}

static int on_a_small_disk(struct scratch *s)
{
    if (!mount_small(s->dir))
        return 77;
    struct gguf_error err = {0};
    struct gguf_writer *w = NULL;
    scratch_write(scratch_path(s, "x"), "old");
    struct gguf_writer_options options = {.overwrite = true};
    must(gguf_writer_new(&w, scratch_path(s, "x"), &options, &err), &err);
    add(w, "a", GGUF_I8, 2 << 20);
    int bad = gguf_writer_begin(w, &err) != GGUF_ERR_SPACE || !strstr(err.message, "are free");
    gguf_writer_free(w);
    /* what another output has reserved is not free, though nothing is written there */
    struct gguf_writer *one = declare(scratch_path(s, "one"), true);
    bad |= gguf_writer_begin(one, &err) != GGUF_OK;
    must(gguf_writer_new(&w, scratch_path(s, "x"), &options, &err), &err);
    add(w, "a", GGUF_I8, 900 << 10);
    bad |= gguf_writer_begin(w, &err) != GGUF_ERR_SPACE;
    bad |= scratch_count(s) != 2 || !scratch_holds(scratch_path(s, "x"), "old");
    gguf_writer_free(w);
    gguf_writer_free(one);
    return bad;
}

static void a_full_disk(void **state)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(on_a_small_disk(*state));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- Interrupted, and at once ---------------------------------------------------- */

static void killed_halfway_the_old_file_stays(void **state)
{
    struct scratch *s = *state;
    int status = 0;
    scratch_write(scratch_path(s, "x"), "old");
    pid_t child = fork();
    if (child == 0) {
        halfway(scratch_path(s, "x"), true);
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_true(scratch_holds(scratch_path(s, "x"), "old"));
    /* and what was left behind is in nobody's way */
    struct gguf_error err = {0};
    struct gguf_writer *w = halfway(scratch_path(s, "x"), true);
    write_rest(w);
    must(gguf_writer_finish(w, &err), &err);
    gguf_writer_free(w);
    assert_complete(scratch_path(s, "x"));
}

static struct gguf_writer *interrupted; /* for the handler */

static void on_signal(int number)
{
    gguf_writer_abandon(interrupted);
    _exit(128 + number);
}

static void a_signal_handler_cleans_up(void **state)
{
    struct scratch *s = *state;
    int status = 0;
    scratch_write(scratch_path(s, "x"), "old");
    pid_t child = fork();
    if (child == 0) {
        signal(SIGTERM, on_signal);
        interrupted = halfway(scratch_path(s, "x"), true);
        raise(SIGTERM);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGTERM);
    assert_true(scratch_holds(scratch_path(s, "x"), "old"));
    assert_int_equal(scratch_count(s), 1);
}

static void two_writers_give_one_complete_file(void **state)
{
    struct scratch *s = *state;
    struct gguf_error err = {0};
    struct gguf_writer *a = halfway(scratch_path(s, "x"), true);
    struct gguf_writer *b = halfway(scratch_path(s, "x"), true);
    write_rest(a);
    write_rest(b);
    must(gguf_writer_finish(a, &err), &err);
    must(gguf_writer_finish(b, &err), &err);
    gguf_writer_free(a);
    gguf_writer_free(b);
    assert_complete(scratch_path(s, "x"));
    assert_int_equal(scratch_count(s), 1);
}

struct share {
    struct gguf_writer *writer;
    size_t tensor;
    int failed;
};

/* Small pieces, last first. */
static void *write_share(void *arg)
{
    struct share *share = arg;
    unsigned char data[100];
    for (uint64_t end = N_BYTES; end > 0;) {
        uint64_t n = end < sizeof data ? end : sizeof data;
        end -= n;
        for (uint64_t i = 0; i < n; i++)
            data[i] = pattern(share->tensor, end + i);
        if (gguf_writer_write(share->writer, share->tensor, end, data, (size_t)n, NULL))
            share->failed = 1;
    }
    return NULL;
}

static void threads_write_at_once(void **state)
{
    struct scratch *s = *state;
    struct gguf_error err = {0};
    struct gguf_writer *w = declare(scratch_path(s, "x"), false);
    struct share shares[2] = {{w, 0, 0}, {w, 1, 0}};
    pthread_t threads[2];
    must(gguf_writer_begin(w, &err), &err);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_share, &shares[i]), 0);
    for (size_t i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_false(shares[i].failed);
    }
    must(gguf_writer_finish(w, &err), &err);
    gguf_writer_free(w);
    assert_complete(scratch_path(s, "x"));
}

/* ---- For tests/faults ------------------------------------------------------------ */

/* Writes two shards to `prefix`, replacing what is there; the exit code is 0 or 2. */
static int write_small(const char *prefix)
{
    struct gguf_error err = {0};
    struct gguf_writer *w = NULL;
    static const unsigned char data[4096] = {1, 2, 3};
    const uint64_t ne[] = {sizeof data};
    struct gguf_writer_options options = {.overwrite = true, .shard_tensors = 1};
    enum gguf_status status = gguf_writer_new(&w, prefix, &options, &err);
    for (int i = 0; i < 2 && !status; i++) {
        status = gguf_writer_add_tensor(w, (struct gguf_str){i ? "b" : "a", 1}, GGUF_I8, 1, ne,
                                        GGUF_SHARD_AUTO, &err);
    }
    if (!status)
        status = gguf_writer_set_string(w, "general.architecture", STR("none"), &err);
    if (!status)
        status = gguf_writer_begin(w, &err);
    for (size_t i = 0; i < 2 && !status; i++)
        status = gguf_writer_write(w, i, 0, data, sizeof data, &err);
    if (!status)
        status = gguf_writer_finish(w, &err);
    gguf_writer_free(w);
    if (status)
        fprintf(stderr, "%s\n", err.message);
    return status ? 2 : 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(missing_bytes_are_an_error),
        IN_SCRATCH(bytes_outside_a_tensor_are_refused),
        IN_SCRATCH(free_and_abandon_leave_nothing),
        IN_SCRATCH(an_existing_target_is_kept),
        IN_SCRATCH(overwriting_keeps_mode_and_link),
        IN_SCRATCH(a_new_file_obeys_the_umask),
        IN_SCRATCH(only_regular_files_are_replaced),
        IN_SCRATCH(a_name_of_the_greatest_length),
        IN_SCRATCH(begin_again),
        IN_SCRATCH(too_little_space_is_known_before),
        IN_SCRATCH(a_full_disk),
        IN_SCRATCH(killed_halfway_the_old_file_stays),
        IN_SCRATCH(a_signal_handler_cleans_up),
        IN_SCRATCH(two_writers_give_one_complete_file),
        IN_SCRATCH(threads_write_at_once),
    };
    if (argc == 3 && strcmp(argv[1], "--write") == 0)
        return write_small(argv[2]);
    return cmocka_run_group_tests_name("write: files", tests, NULL, NULL);
}
