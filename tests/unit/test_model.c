/* What the forward pass promises besides its numbers: batches, threads, levels of the
 * processor, inputs of products, replaced tensors, and errors with names. */
#include "tests/unit/golden.h"
#include "tests/unit/scratch.h"

/* Models that differ in what an order of work could change. */
static const char *const names[] = {"llama",  "llama-q4_k_m",  "llama-q8_0", "qwen2moe",
                                    "gemma3", "deepseek2-mla", "gpt2"};
#define N_NAMES (sizeof names / sizeof names[0])

static float *evaluate_all(struct opened *o)
{
    struct model_batch batch = {.tokens = o->tokens, .n = o->n};
    return evaluate(o, &batch);
}

static void same(const struct opened *o, const float *a, const float *b, size_t rows,
                 const char *what)
{
    if (memcmp(a, b, rows * model_hparams(o->model)->vocab * sizeof(float)) != 0)
        fail_msg("%s: logits differ", what);
}

/* ---- Ways of work that must not matter ------------------------------------------- */

static void test_parts(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_NAMES; i++) {
        struct opened o;
        open_golden(&o, GOLDEN, names[i], NULL, 1);
        size_t vocab = model_hparams(o.model)->vocab;
        float *whole = evaluate_all(&o);
        model_context_reset(o.context);
        for (size_t at = 0, n; at < o.n; at += n) {
            n = at % 3 == 0 ? 1 : o.n - at < 7 ? o.n - at : 7;
            struct model_batch batch = {.tokens = o.tokens + at, .n = n};
            float *part = evaluate(&o, &batch);
            same(&o, part, whole + at * vocab, n, names[i]);
            free(part);
        }
        free(whole);
        close_golden(&o);
    }
}

static void test_sequences(void **state)
{
    (void)state;
    struct opened o;
    open_golden(&o, GOLDEN, "gemma3", NULL, 2);
    size_t vocab = model_hparams(o.model)->vocab;
    float *whole = evaluate_all(&o);
    model_context_reset(o.context);
    uint32_t tokens[512], sequences[512];
    for (size_t i = 0; i < 2 * o.n; i++) { /* two copies, in turns of one and two tokens */
        sequences[i] = i % 3 == 0;
        tokens[i] = 0;
    }
    size_t next[2] = {0, 0}, n = 0;
    for (size_t i = 0; next[0] < o.n && next[1] < o.n; i++, n++)
        tokens[i] = o.tokens[next[sequences[i]]++];
    struct model_batch batch = {.tokens = tokens, .sequences = sequences, .n = n};
    float *both = evaluate(&o, &batch);
    size_t seen[2] = {0, 0};
    for (size_t i = 0; i < n; i++)
        same(&o, both + i * vocab, whole + seen[sequences[i]]++ * vocab, 1, "two sequences");
    assert_int_equal(model_context_length(o.context, 0), next[0]);
    free(both);
    free(whole);
    close_golden(&o);
}

static void test_wanted(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_NAMES; i++) {
        struct opened o;
        bool wanted[256] = {false};
        open_golden(&o, GOLDEN, names[i], NULL, 1);
        size_t vocab = model_hparams(o.model)->vocab;
        float *whole = evaluate_all(&o);
        model_context_reset(o.context);
        wanted[3] = wanted[o.n - 1] = true;
        struct model_batch batch = {.tokens = o.tokens, .wanted = wanted, .n = o.n};
        float *two = evaluate(&o, &batch);
        assert_int_equal(model_wanted(o.context), 2);
        same(&o, two, whole + 3 * vocab, 1, names[i]);
        same(&o, two + vocab, whole + (o.n - 1) * vocab, 1, names[i]);
        free(two);
        free(whole);
        close_golden(&o);
    }
}

static void test_truncate(void **state)
{
    (void)state;
    struct opened o;
    open_golden(&o, GOLDEN, "qwen3", NULL, 1);
    float *whole = evaluate_all(&o);
    model_context_truncate(o.context, 0, 10);
    assert_int_equal(model_context_length(o.context, 0), 10);
    struct model_batch batch = {.tokens = o.tokens + 10, .n = o.n - 10};
    float *again = evaluate(&o, &batch);
    same(&o, again, whole + 10 * model_hparams(o.model)->vocab, o.n - 10, "truncated");
    free(again);
    free(whole);
    close_golden(&o);
}

static void test_threads(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_NAMES; i++) {
        struct model_settings one = {.threads = 1}, three = {.threads = 3};
        struct opened a, b;
        open_golden(&a, GOLDEN, names[i], &one, 1);
        open_golden(&b, GOLDEN, names[i], &three, 1);
        float *x = evaluate_all(&a), *y = evaluate_all(&b);
        same(&a, x, y, a.n, names[i]);
        free(x);
        free(y);
        close_golden(&a);
        close_golden(&b);
    }
}

static void compare_levels(enum model_activations activations)
{
    for (size_t i = 0; i < N_NAMES; i++) {
        struct model_settings scalar = {.activations = activations, .has_cpu = true};
        struct opened a;
        open_golden(&a, GOLDEN, names[i], &scalar, 1);
        float *x = evaluate_all(&a);
        for (int cpu = QUANT_CPU_AVX2; cpu <= QUANT_CPU_NEON; cpu++) {
            struct model_settings other = scalar;
            other.cpu = (enum quant_cpu)cpu;
            if (!quant_cpu_runs(other.cpu))
                continue;
            struct opened b;
            open_golden(&b, GOLDEN, names[i], &other, 1);
            float *y = evaluate_all(&b);
            same(&a, x, y, a.n, quant_cpu_name(other.cpu));
            free(y);
            close_golden(&b);
        }
        free(x);
        close_golden(&a);
    }
}

static void test_levels(void **state)
{
    (void)state;
    compare_levels(MODEL_ACTIVATIONS_F32);
    compare_levels(MODEL_ACTIVATIONS_ENGINE);
}

/* ---- Inputs of products ---------------------------------------------------------- */

struct seen {
    size_t q_rows, expert_rows, outputs;
    double squares;
};

static void look(void *user, const struct model_input *input)
{
    struct seen *seen = user;
    if (gguf_str_equal(input->name, "blk.0.attn_q.weight")) {
        seen->q_rows += input->rows;
        assert_int_equal(input->experts, 1);
        for (size_t i = 0; i < input->rows * input->columns; i++)
            seen->squares += (double)input->data[i] * (double)input->data[i];
    }
    if (gguf_str_equal(input->name, "blk.1.ffn_down_exps.weight")) {
        seen->expert_rows += input->rows;
        assert_true(input->expert < input->experts);
    }
    seen->outputs += gguf_str_equal(input->name, "output.weight");
}

static void test_inputs(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct model_settings settings = {.input = look, .input_user = &seen};
    struct opened o;
    open_golden(&o, GOLDEN, "llama-moe", &settings, 1);
    free(evaluate_all(&o));
    assert_int_equal(seen.q_rows, o.n);
    assert_int_equal(seen.outputs, 1);
    assert_true(seen.squares > 0.0);
    /* The last layer's experts see the wanted tokens, here all, and each uses two. */
    assert_int_equal(seen.expert_rows, 2 * o.n);
    close_golden(&o);
}

/* ---- Replaced tensors ------------------------------------------------------------ */

static void test_replace(void **state)
{
    (void)state;
    struct opened o;
    struct gguf_error err;
    open_golden(&o, GOLDEN, "llama", NULL, 1);
    float *before = evaluate_all(&o);
    static uint16_t half[64 * 64]; /* zeros */
    struct model_replacement with = {"blk.0.attn_q.weight", GGUF_F16, half, sizeof half};
    assert_int_equal(model_replace(o.model, &with, &err), GGUF_OK);
    model_context_reset(o.context);
    float *during = evaluate_all(&o);
    /* The first token has only itself to attend to: look at the last. */
    size_t last = (o.n - 1) * model_hparams(o.model)->vocab;
    assert_memory_not_equal(before + last, during + last, o.n * sizeof(float));
    with.data = NULL;
    assert_int_equal(model_replace(o.model, &with, &err), GGUF_OK);
    model_context_reset(o.context);
    float *after = evaluate_all(&o);
    same(&o, before, after, o.n, "put back");
    with = (struct model_replacement){"blk.0.attn_q.weight", GGUF_F16, half, 10};
    assert_int_equal(model_replace(o.model, &with, &err), GGUF_ERR_ARGUMENT);
    with.name = "blk.0.attn_x.weight";
    assert_int_equal(model_replace(o.model, &with, &err), GGUF_ERR_ARGUMENT);
    free(before);
    free(during);
    free(after);
    close_golden(&o);
}

/* ---- Latent attention in its older form --------------------------------------------- */

enum { HEADS = 4, RANK = 32, UNROTATED = 16, VALUE = 16, BOTH = UNROTATED + VALUE };

/* attn_kv_b [HEADS * BOTH][RANK] of the layer, from attn_k_b [HEADS][RANK][UNROTATED] and
 * attn_v_b [HEADS][VALUE][RANK]. */
static void join(const struct gguf *gguf, char layer, float *out)
{
    char name[] = "blk.N.attn_k_b.weight";
    name[4] = layer;
    const float *k = gguf_tensor_map(gguf, gguf_tensor_find(gguf, name));
    name[11] = 'v';
    const float *v = gguf_tensor_map(gguf, gguf_tensor_find(gguf, name));
    for (size_t h = 0; h < HEADS; h++)
        for (size_t r = 0; r < RANK; r++) {
            for (size_t i = 0; i < UNROTATED; i++)
                out[(h * BOTH + i) * RANK + r] = k[(h * RANK + r) * UNROTATED + i];
            for (size_t i = 0; i < VALUE; i++)
                out[(h * BOTH + UNROTATED + i) * RANK + r] = v[(h * VALUE + i) * RANK + r];
        }
}

/* Tensor i of the older form: attn_kv_b in the place of attn_k_b, no attn_v_b. */
struct older {
    char name[64];
    const struct gguf_tensor *tensor;
    bool joined;
};

static size_t list_older(const struct gguf *gguf, struct older *list)
{
    size_t n = 0;
    for (size_t i = 0; i < gguf_tensor_count(gguf); i++) {
        struct older *o = &list[n];
        o->tensor = gguf_tensor_at(gguf, i);
        (void)snprintf(o->name, sizeof o->name, "%.*s", (int)o->tensor->name.size,
                       o->tensor->name.data);
        o->joined = strstr(o->name, "attn_k_b") != NULL;
        if (o->joined)
            (void)snprintf(o->name + 6, sizeof o->name - 6, "attn_kv_b.weight");
        n += strstr(o->name, "attn_v_b") == NULL;
    }
    return n;
}

static void write_tensors(struct gguf_writer *w, const struct gguf *gguf)
{
    static struct older list[128];
    static float joined[HEADS * BOTH * RANK];
    const uint64_t ne[] = {RANK, HEADS * BOTH};
    size_t n = list_older(gguf, list);
    for (size_t i = 0; i < n; i++) {
        const struct gguf_tensor *t = list[i].tensor;
        struct gguf_str name = {list[i].name, strlen(list[i].name)};
        bool two = list[i].joined;
        assert_int_equal(gguf_writer_add_tensor(w, name, t->type, two ? 2 : t->n_dims,
                                                two ? ne : t->ne, GGUF_SHARD_AUTO, NULL),
                         GGUF_OK);
    }
    assert_int_equal(gguf_writer_begin(w, NULL), GGUF_OK);
    for (size_t i = 0; i < n; i++) {
        const struct gguf_tensor *t = list[i].tensor;
        if (list[i].joined)
            join(gguf, list[i].name[4], joined);
        const void *data = list[i].joined ? joined : gguf_tensor_map(gguf, t);
        size_t size = list[i].joined ? sizeof joined : (size_t)t->bytes;
        assert_int_equal(gguf_writer_write(w, i, 0, data, size, NULL), GGUF_OK);
    }
}

static void write_older(const struct gguf *gguf, const char *path)
{
    struct gguf_writer *w = NULL;
    assert_int_equal(gguf_writer_new(&w, path, NULL, NULL), GGUF_OK);
    assert_int_equal(gguf_writer_copy_metadata(w, gguf, NULL), GGUF_OK);
    gguf_writer_remove(w, "deepseek2.attention.key_length_mla");
    gguf_writer_remove(w, "deepseek2.attention.value_length_mla");
    (void)gguf_writer_set_u32(w, "deepseek2.attention.key_length", 24, NULL);
    (void)gguf_writer_set_u32(w, "deepseek2.attention.value_length", VALUE, NULL);
    (void)gguf_writer_set_u32(w, "deepseek2.attention.head_count_kv", HEADS, NULL);
    write_tensors(w, gguf);
    assert_int_equal(gguf_writer_finish(w, NULL), GGUF_OK);
    gguf_writer_free(w);
}

static void test_older_latent(void **state)
{
    struct opened new, old;
    struct gguf_error err;
    open_golden(&new, GOLDEN, "deepseek2-mla", NULL, 1);
    const char *path = scratch_path(*state, "older.gguf");
    write_older(new.gguf, path);
    old = new;
    if (gguf_open(&old.gguf, path, 0, &err) != GGUF_OK ||
        model_open(&old.model, old.gguf, NULL, &err) != GGUF_OK)
        fail_msg("%s", err.message);
    struct model_shape shape = {(uint32_t)old.n, 1};
    assert_int_equal(model_context_new(&old.context, old.model, &shape, &err), GGUF_OK);
    float *a = evaluate_all(&new), *b = evaluate_all(&old);
    for (size_t i = 0; i < old.n * model_hparams(old.model)->vocab; i++)
        assert_true(fabs((double)a[i] - (double)b[i]) < 1e-4);
    free(a);
    free(b);
    close_golden(&new);
    close_golden(&old);
}

/* ---- Errors ---------------------------------------------------------------------- */

static void test_bad_batches(void **state)
{
    (void)state;
    struct opened o;
    struct gguf_error err;
    open_golden(&o, GOLDEN, "gpt2", NULL, 1);
    uint32_t token = 100000, sequence = 1;
    struct model_batch batch = {.tokens = &token, .n = 1};
    assert_int_equal(model_eval(o.context, &batch, &err), GGUF_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "100000"));
    batch = (struct model_batch){.tokens = o.tokens, .sequences = &sequence, .n = 1};
    assert_int_equal(model_eval(o.context, &batch, &err), GGUF_ERR_ARGUMENT);
    free(evaluate_all(&o));
    batch = (struct model_batch){.tokens = o.tokens, .n = 1};
    assert_int_equal(model_eval(o.context, &batch, &err), GGUF_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "no room"));
    assert_int_equal(model_context_length(o.context, 0), o.n);
    float logit[1];
    assert_int_equal(model_logits(o.context, model_wanted(o.context), 1, logit, &err),
                     GGUF_ERR_ARGUMENT);
    struct model_context *none = NULL;
    struct model_shape shape = {0, 1};
    assert_int_equal(model_context_new(&none, o.model, &shape, &err), GGUF_ERR_ARGUMENT);
    shape.n_ctx = 1u << 20; /* more than the learned positions */
    assert_int_equal(model_context_new(&none, o.model, &shape, &err), GGUF_ERR_ARGUMENT);
    assert_null(none);
    close_golden(&o);
}

static unsigned char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        skip();
    static unsigned char bytes[1 << 20];
    *size = fread(bytes, 1, sizeof bytes, file);
    assert_int_equal(fclose(file), 0);
    return bytes;
}

static unsigned char *find(unsigned char *bytes, size_t size, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i + n <= size; i++)
        if (memcmp(bytes + i, text, n) == 0)
            return bytes + i;
    fail_msg("no %s in the file", text);
    return NULL;
}

/* The llama with `text` replaced by `by`, or with the number of key `text` set. */
struct patch {
    const char *text, *by;
    uint32_t number;
    enum gguf_status status;
    const char *message;
};

static void test_bad_files(void **state)
{
    (void)state;
    static const struct patch patches[] = {
        {"blk.1.ffn_up.weight", "blk.1.ffn_xx.weight", 0, GGUF_ERR_CORRUPT,
         "'blk.1.ffn_up.weight' is missing"},
        {"token_embd.weight", "token_embx.weight", 0, GGUF_ERR_CORRUPT,
         "'token_embd.weight' is missing"},
        {"output_norm.weight", "output_nxxx.weight", 0, GGUF_ERR_CORRUPT,
         "'output_norm.weight' is missing"},
        {"llama.feed_forward_length", NULL, 100, GGUF_ERR_CORRUPT, "expected [64, 100]"},
        {"llama.embedding_length", NULL, 128, GGUF_ERR_CORRUPT, "expected [128, "},
        {"llama.block_count", NULL, 3, GGUF_ERR_CORRUPT, "'blk.2.attn_norm.weight' is missing"},
        {"llama.attention.head_count_kv", NULL, 1, GGUF_ERR_CORRUPT, "blk.0.attn_k.weight"},
        {"general.architecture", NULL, 0, GGUF_ERR_UNSUPPORTED,
         "'llxma'; there is one for llama, qwen2"},
    };
    for (size_t i = 0; i < sizeof patches / sizeof patches[0]; i++) {
        size_t size;
        struct gguf_error err = {0};
        unsigned char *bytes = read_file(GOLDEN "llama.gguf", &size);
        unsigned char *at = find(bytes, size, patches[i].text);
        if (patches[i].by)
            memcpy(at, patches[i].by, strlen(patches[i].by));
        else if (patches[i].number)
            memcpy(at + strlen(patches[i].text) + 4, &patches[i].number, 4);
        else /* type, length, "llama" */
            at[strlen(patches[i].text) + 4 + 8 + 2] = 'x';
        struct gguf *gguf = NULL;
        struct model *model = NULL;
        assert_int_equal(gguf_open_memory(&gguf, bytes, size, 0, &err), GGUF_OK);
        enum gguf_status status = model_open(&model, gguf, NULL, &err);
        if (status != patches[i].status || !strstr(err.message, patches[i].message))
            fail_msg("%s: status %d, %s", patches[i].text, (int)status, err.message);
        assert_null(model);
        gguf_close(gguf);
    }
}

static void test_broken_weights(void **state)
{
    (void)state;
    struct opened o;
    struct gguf_error err;
    open_golden(&o, GOLDEN, "llama", NULL, 1);
    static float nan_weights[64 * 64];
    nan_weights[77] = NAN;
    struct model_replacement with = {"blk.1.attn_q.weight", GGUF_F32, nan_weights,
                                     sizeof nan_weights};
    assert_int_equal(model_replace(o.model, &with, &err), GGUF_OK);
    struct model_batch batch = {.tokens = o.tokens, .n = o.n};
    assert_int_equal(model_eval(o.context, &batch, &err), GGUF_ERR_DATA);
    close_golden(&o);
}

static void test_architectures(void **state)
{
    (void)state;
    size_t n = 0;
    while (model_architecture_at(n))
        n++;
    assert_true(n >= 21);
    assert_string_equal(model_architecture_at(0), "llama");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_sequences),
        cmocka_unit_test(test_wanted),
        cmocka_unit_test(test_truncate),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_inputs),
        cmocka_unit_test(test_replace),
        cmocka_unit_test_setup_teardown(test_older_latent, scratch_setup, scratch_teardown),
        cmocka_unit_test(test_bad_batches),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_broken_weights),
        cmocka_unit_test(test_architectures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
