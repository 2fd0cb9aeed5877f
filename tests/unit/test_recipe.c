/* The types of all tensors against the peer's, in every run of every recorded model; and
 * what those runs do not show. */
#include "quant/quant.h"
#include "tests/unit/tiny_gguf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <cjson/cJSON.h>

#define MAX_TENSORS   512
#define MAX_OVERRIDES 4

/* ---- The recorded runs ---------------------------------------------------------------- */

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    char *text = calloc(1, (size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)size, file), size);
    fclose(file);
    return text;
}

static const char *string_of(const cJSON *object, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

/* A run's arguments as a recipe; the patterns live in `patterns`. */
struct run {
    struct quant_recipe recipe;
    struct quant_override overrides[MAX_OVERRIDES];
    char patterns[MAX_OVERRIDES][64];
};

static uint32_t type_named(const char *name)
{
    const struct gguf_type_info *info = gguf_type_by_name(name);
    if (!info)
        fail_msg("unknown type %s", name);
    return info->id;
}

static void add_override(struct run *run, const char *argument)
{
    const char *equals = strrchr(argument, '=');
    assert_non_null(equals);
    size_t n = run->recipe.n_overrides++;
    assert_true(n < MAX_OVERRIDES);
    snprintf(run->patterns[n], sizeof run->patterns[n], "%.*s", (int)(equals - argument),
             argument);
    run->overrides[n] = (struct quant_override){run->patterns[n], type_named(equals + 1)};
}

/* False for an option that is not the recipe's business. */
static bool take_option(struct run *run, const char *option, const char *value, bool *valued)
{
    *valued = true;
    if (strcmp(option, "--tensor-type") == 0)
        add_override(run, value);
    else if (strcmp(option, "--output-tensor-type") == 0)
        run->recipe.output_type = type_named(value);
    else if (strcmp(option, "--token-embedding-type") == 0)
        run->recipe.embedding_type = type_named(value);
    else if (strcmp(option, "--imatrix") == 0)
        run->recipe.has_imatrix = true;
    else if (strcmp(option, "--exclude-weights") != 0)
        *valued = false;
    if (*valued)
        return true;
    if (strcmp(option, "--pure") == 0)
        return run->recipe.pure = true;
    if (strcmp(option, "--leave-output-tensor") == 0)
        return run->recipe.leave_output = true;
    return false;
}

static bool parse_run(struct run *run, const cJSON *json)
{
    memset(run, 0, sizeof *run);
    run->recipe.mix = quant_mix_by_name(string_of(json, "ftype"));
    run->recipe.output_type = run->recipe.embedding_type = QUANT_TYPE_NONE;
    run->recipe.overrides = run->overrides;
    assert_non_null(run->recipe.mix);

    const cJSON *args = cJSON_GetObjectItemCaseSensitive(json, "args");
    for (int i = 0; i < cJSON_GetArraySize(args); i++) {
        const char *option = cJSON_GetStringValue(cJSON_GetArrayItem(args, i));
        const char *value = cJSON_GetStringValue(cJSON_GetArrayItem(args, i + 1));
        bool valued;
        if (!take_option(run, option, value, &valued))
            return false;
        i += valued;
    }
    return true;
}

static const char *type_name(uint32_t type)
{
    return gguf_type_find(type)->name;
}

/* Counts and prints the tensors whose type differs from the recorded one. */
static int count_mismatches(const cJSON *json, const cJSON *run, const struct gguf *model,
                            const struct quant_choice *choices)
{
    const cJSON *palette = cJSON_GetObjectItemCaseSensitive(json, "palette");
    const cJSON *tensors = cJSON_GetObjectItemCaseSensitive(json, "tensors");
    const char *types = string_of(run, "types");
    int mismatches = 0;
    for (size_t i = 0; i < gguf_tensor_count(model); i++) {
        const cJSON *row = cJSON_GetArrayItem(tensors, (int)i);
        const char *name = cJSON_GetStringValue(cJSON_GetArrayItem(row, 0));
        const char code[2] = {types[i], '\0'};
        uint32_t expected = type_named(string_of(palette, code));
        assert_true(gguf_str_equal(gguf_tensor_at(model, choices[i].tensor)->name, name));
        if (choices[i].type == expected)
            continue;
        print_error("%s %s %s: %s expected, %s chosen\n", string_of(json, "model"),
                    string_of(run, "id"), name, type_name(expected),
                    type_name(choices[i].type));
        mismatches++;
    }
    return mismatches;
}

static int count_fallbacks(const struct quant_choice *choices, size_t count)
{
    int fallbacks = 0;
    for (size_t i = 0; i < count; i++) {
        bool differs = choices[i].wanted != choices[i].type;
        assert_int_equal(choices[i].reason == QUANT_FALLBACK, differs);
        fallbacks += differs;
    }
    return fallbacks;
}

/* False for a run that says nothing about recipes. */
static bool check_run(const cJSON *json, const cJSON *record, const struct gguf *model,
                      int *mismatches)
{
    struct run run;
    struct quant_choice choices[MAX_TENSORS];
    struct gguf_error err;
    if (!string_of(record, "types") || !parse_run(&run, record))
        return false;
    assert_int_equal(quant_recipe_apply(model, &run.recipe, false, choices, &err), GGUF_OK);

    const cJSON *fallbacks = cJSON_GetObjectItemCaseSensitive(record, "n_fallback");
    assert_int_equal(count_fallbacks(choices, gguf_tensor_count(model)),
                     fallbacks ? fallbacks->valueint : 0);
    const cJSON *file_type = cJSON_GetObjectItemCaseSensitive(record, "file_type");
    if (file_type && run.recipe.mix->file_type != QUANT_TYPE_NONE)
        assert_int_equal(run.recipe.mix->file_type, file_type->valueint);
    *mismatches += count_mismatches(json, record, model, choices);
    return true;
}

static void types_equal_the_peers(void **state)
{
    const char *name = *state;
    char path[256];
    snprintf(path, sizeof path, "../shared/recipes/%s.json", name);
    char *text = read_text(path);
    if (!text) {
        print_message("recipes of %s: ../shared is not there\n", name);
        skip();
    }
    cJSON *json = cJSON_Parse(text);
    assert_non_null(json);
    struct gguf *model;
    struct gguf_error err;
    snprintf(path, sizeof path, "../shared/recipes/%s.gguf", name);
    assert_int_equal(gguf_open(&model, path, 0, &err), GGUF_OK);
    assert_true(gguf_tensor_count(model) <= MAX_TENSORS);

    int mismatches = 0, checked = 0;
    const cJSON *record;
    cJSON_ArrayForEach(record, cJSON_GetObjectItemCaseSensitive(json, "runs")) checked +=
        check_run(json, record, model, &mismatches);
    assert_int_equal(mismatches, 0);
    assert_true(checked >= 70);
    gguf_close(model);
    cJSON_Delete(json);
    free(text);
}

/* ---- What the runs do not show ---------------------------------------------------------- */

static struct tiny tiny; /* too large for the stack */

static const uint64_t square[3] = {256, 2, 1};

static void begin(const char *architecture)
{
    memset(&tiny, 0, sizeof tiny);
    tiny_string(&tiny, "general.architecture", architecture);
}

static void hyperparameter(const char *architecture, const char *suffix, uint32_t value)
{
    char key[64];
    snprintf(key, sizeof key, "%s.%s", architecture, suffix);
    tiny_u32(&tiny, key, value);
}

static void layers(uint32_t n, const char *suffix)
{
    for (uint32_t i = 0; i < n; i++) {
        char name[64];
        snprintf(name, sizeof name, "blk.%u.%s", i, suffix);
        tiny_tensor(&tiny, name, GGUF_F32, square, NULL);
    }
}

static struct gguf *finish(void)
{
    struct gguf *model;
    struct gguf_error err;
    tiny_finish(&tiny);
    if (gguf_open_memory(&model, tiny.file, tiny.file_size, 0, &err) != GGUF_OK)
        fail_msg("%s", err.message);
    return model;
}

static struct quant_recipe recipe_of(const char *mix)
{
    return (struct quant_recipe){.mix = quant_mix_by_name(mix),
                                 .output_type = QUANT_TYPE_NONE,
                                 .embedding_type = QUANT_TYPE_NONE};
}

static struct quant_choice choice_of(const struct gguf *model,
                                     const struct quant_recipe *recipe, const char *name)
{
    static struct quant_choice choices[MAX_TENSORS];
    struct gguf_error err;
    assert_non_null(gguf_tensor_find(model, name));
    assert_int_equal(quant_recipe_apply(model, recipe, false, choices, &err), GGUF_OK);
    size_t i = 0;
    while (!gguf_str_equal(gguf_tensor_at(model, choices[i].tensor)->name, name))
        i++;
    return choices[i];
}

static void assert_type(const struct gguf *model, const char *mix, const char *name,
                        uint32_t expected)
{
    struct quant_recipe recipe = recipe_of(mix);
    uint32_t type = choice_of(model, &recipe, name).type;
    if (type != expected)
        fail_msg("%s %s: %s expected, %s chosen", mix, name, type_name(expected),
                 type_name(type));
}

static void falcon_has_its_own_rules(void **state)
{
    (void)state;
    begin("falcon");
    hyperparameter("falcon", "block_count", 32);
    layers(32, "ffn_down.weight");
    layers(32, "attn_output.weight");
    tiny_tensor(&tiny, "output.weight", GGUF_F32, square, NULL);
    struct gguf *model = finish();
    assert_type(model, "Q4_K_M", "output.weight", GGUF_Q8_0);
    assert_type(model, "Q4_K_M", "blk.1.ffn_down.weight", GGUF_Q6_K);
    assert_type(model, "Q4_K_M", "blk.2.ffn_down.weight", GGUF_Q5_K);
    assert_type(model, "Q4_K_M", "blk.4.ffn_down.weight", GGUF_Q4_K);
    assert_type(model, "Q4_K_M", "blk.6.ffn_down.weight", GGUF_Q5_K);
    assert_type(model, "Q3_K_M", "blk.4.ffn_down.weight", GGUF_Q3_K);
    assert_type(model, "Q3_K_M", "blk.31.ffn_down.weight", GGUF_Q4_K);
    assert_type(model, "Q3_K_L", "blk.0.ffn_down.weight", GGUF_Q4_K);
    assert_type(model, "Q4_K_S", "blk.0.ffn_down.weight", GGUF_Q4_K);
    assert_type(model, "Q3_K_L", "blk.0.attn_output.weight", GGUF_Q4_K);
    assert_type(model, "Q2_K", "blk.0.attn_output.weight", GGUF_Q2_K);
    gguf_close(model);
}

static struct gguf *eighty_layers(const char *architecture, uint32_t kv_heads)
{
    begin(architecture);
    hyperparameter(architecture, "block_count", 80);
    hyperparameter(architecture, "attention.head_count", 64);
    hyperparameter(architecture, "attention.head_count_kv", kv_heads);
    layers(80, "attn_v.weight");
    return finish();
}

static void large_models_get_more_for_attn_v(void **state)
{
    (void)state;
    static const struct {
        const char *architecture;
        uint32_t kv_heads, type;
    } rows[] = {
        {"llama", 8, GGUF_Q5_K},
        {"llama", 64, GGUF_Q4_K},
        {"qwen2", 64, GGUF_Q5_K},
        {"qwen3", 8, GGUF_Q4_K},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gguf *model = eighty_layers(rows[i].architecture, rows[i].kv_heads);
        assert_type(model, "Q4_K_M", "blk.11.attn_v.weight", rows[i].type);
        assert_type(model, "Q4_K_M", "blk.12.attn_v.weight", GGUF_Q6_K);
        struct quant_recipe recipe = recipe_of("Q4_K_M");
        recipe.pure = true;
        assert_int_equal(choice_of(model, &recipe, "blk.11.attn_v.weight").type, GGUF_Q4_K);
        gguf_close(model);
    }
}

static void few_layers_have_no_early_ones(void **state)
{
    (void)state;
    begin("llama");
    hyperparameter("llama", "block_count", 4);
    layers(4, "ffn_down.weight");
    struct gguf *model = finish();
    /* n/8 is 0 and 7n/8 is 3: only the last layer and every third one */
    assert_type(model, "Q4_K_M", "blk.0.ffn_down.weight", GGUF_Q4_K);
    assert_type(model, "Q4_K_M", "blk.2.ffn_down.weight", GGUF_Q6_K);
    assert_type(model, "Q4_K_M", "blk.3.ffn_down.weight", GGUF_Q6_K);
    assert_type(model, "Q4_K_S", "blk.0.ffn_down.weight", GGUF_Q4_K);
    gguf_close(model);
}

static void names_decide_the_role(void **state)
{
    (void)state;
    static const uint64_t experts[3] = {256, 2, 8};
    begin("llama");
    hyperparameter("llama", "block_count", 1);
    tiny_tensor(&tiny, "blk.0.ffn_down_foo.weight", GGUF_F32, square, NULL);
    tiny_tensor(&tiny, "blk.0.attn_kv_b.weight", GGUF_F32, square, NULL);
    tiny_tensor(&tiny, "blk.0.attn_v.weight_scale", GGUF_F32, square, NULL);
    tiny_tensor(&tiny, "blk.0.attn_k_b.weight", GGUF_F16, experts, NULL);
    tiny_tensor(&tiny, "output.weight", GGUF_F32, square, NULL);
    tiny_tensor(&tiny, "per_layer_token_embd.weight", GGUF_F32, square, NULL);
    struct gguf *model = finish();
    assert_type(model, "Q2_K", "blk.0.ffn_down_foo.weight", GGUF_Q3_K);
    assert_type(model, "Q3_K_L", "blk.0.attn_kv_b.weight", GGUF_Q5_K);
    assert_type(model, "Q3_K_L", "blk.0.attn_v.weight_scale", GGUF_F32);
    assert_type(model, "MXFP4_MOE", "blk.0.attn_k_b.weight", GGUF_MXFP4);
    assert_type(model, "MXFP4_MOE", "blk.0.attn_kv_b.weight", GGUF_Q8_0);
    assert_type(model, "TQ1_0", "per_layer_token_embd.weight", GGUF_Q4_K);
    gguf_close(model);
}

/* What is never quantized counts all the same for the number that attn_v is spread over:
 * of 16 the first two and the 5th get more bits, of 8 the first and the 4th. */
static void scales_count_as_attn_v(void **state)
{
    (void)state;
    begin("llama");
    hyperparameter("llama", "block_count", 8);
    layers(8, "attn_v.weight");
    layers(8, "attn_v.weight_scale");
    struct gguf *model = finish();
    assert_type(model, "Q4_K_M", "blk.1.attn_v.weight", GGUF_Q6_K);
    assert_type(model, "Q4_K_M", "blk.7.attn_v.weight", GGUF_Q6_K);
    assert_type(model, "Q4_K_M", "blk.3.attn_v.weight", GGUF_Q4_K);
    assert_type(model, "Q4_K_M", "blk.4.attn_v.weight", GGUF_Q6_K);
    gguf_close(model);
}

static void some_tensors_are_kept(void **state)
{
    (void)state;
    static const char *const names[] = {
        "output_norm.weight",          "blk.0.attn_q.bias",     "blk.0.ffn_gate_inp.weight",
        "position_embd.weight",        "token_types.weight",    "blk.0.ssm_conv1d.weight",
        "enc.blk.0.attn_rel_b.weight", "blk.0.laurel_l.weight", "blk.0.time_mix_w1.weight",
        "blk.0.shortconv.conv.weight", "altup_proj.weight",     "blk.0.indexer.k_proj.weight",
    };
    static const uint64_t vector[3] = {256, 1, 1};
    begin("llama");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        tiny_tensor(&tiny, names[i], GGUF_F32, square, NULL);
    tiny_tensor(&tiny, "blk.0.attn_q.weight", GGUF_F16, vector, NULL);
    tiny_tensor(&tiny, "blk.0.attn_k.weight", GGUF_Q8_0, square, NULL);
    tiny_tensor(&tiny, "blk.0.table.weight", GGUF_I32, square, NULL);
    struct gguf *model = finish();
    struct quant_recipe recipe = recipe_of("Q8_0");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_type(model, "F16", names[i], GGUF_F32);
        assert_int_equal(choice_of(model, &recipe, names[i]).reason, QUANT_KEPT);
    }
    assert_type(model, "Q8_0", "blk.0.attn_q.weight", GGUF_F16);
    assert_int_equal(choice_of(model, &recipe, "blk.0.attn_k.weight").reason, QUANT_KEPT);
    assert_type(model, "Q6_K", "blk.0.attn_k.weight", GGUF_Q6_K);
    assert_type(model, "COPY", "blk.0.attn_k.weight", GGUF_Q8_0);
    assert_type(model, "Q8_0", "blk.0.table.weight", GGUF_I32);
    gguf_close(model);
}

static void rows_that_do_not_divide(void **state)
{
    (void)state;
    static const struct {
        uint64_t columns;
        const char *mix;
        uint32_t wanted, type;
    } rows[] = {
        {288, "Q4_K_M", GGUF_Q6_K, GGUF_Q8_0}, {33, "Q4_K_M", GGUF_Q6_K, GGUF_F16},
        {33, "Q8_0", GGUF_Q8_0, GGUF_F16},     {288, "Q4_0", GGUF_Q6_K, GGUF_Q8_0},
        {288, "IQ2_M", GGUF_Q5_K, GGUF_Q8_0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const uint64_t ne[3] = {rows[i].columns, 2, 1};
        begin("llama");
        tiny_tensor(&tiny, "output.weight", GGUF_F32, ne, NULL);
        struct gguf *model = finish();
        struct quant_recipe recipe = recipe_of(rows[i].mix);
        struct quant_choice choice = choice_of(model, &recipe, "output.weight");
        assert_int_equal(choice.reason, QUANT_FALLBACK);
        assert_int_equal(choice.wanted, rows[i].wanted);
        assert_int_equal(choice.type, rows[i].type);
        recipe.output_type = GGUF_Q5_K; /* an option falls back by the same rules */
        choice = choice_of(model, &recipe, "output.weight");
        assert_int_equal(choice.wanted, GGUF_Q5_K);
        assert_int_equal(choice.type, rows[i].columns == 288 ? GGUF_Q5_1 : GGUF_F16);
        gguf_close(model);
    }
}

static void order_of_the_output(void **state)
{
    (void)state;
    static const char *const sorted[] = {
        "a.weight",          "blk.x.weight",         "output.weight",
        "token_embd.weight", "blk.2.attn_k.weight",  "blk.2.ffn.weight",
        "blk.2.ffn.weight2", "blk.10.attn_k.weight",
    };
    enum { N = sizeof sorted / sizeof sorted[0] };
    begin("llama");
    for (size_t i = 0; i < N; i++)
        tiny_tensor(&tiny, sorted[(i * 3 + 5) % N], GGUF_F32, square, NULL);
    struct gguf *model = finish();
    struct quant_choice choices[N];
    struct quant_recipe recipe = recipe_of("Q4_0");
    assert_int_equal(quant_recipe_apply(model, &recipe, false, choices, NULL), GGUF_OK);
    for (size_t i = 0; i < N; i++)
        assert_true(gguf_str_equal(gguf_tensor_at(model, choices[i].tensor)->name, sorted[i]));
    assert_int_equal(quant_recipe_apply(model, &recipe, true, choices, NULL), GGUF_OK);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(choices[i].tensor, i);
    gguf_close(model);
}

static enum gguf_status apply_pattern(const struct gguf *model, const char *pattern,
                                      struct quant_choice *choices, struct gguf_error *err)
{
    const struct quant_override override = {pattern, GGUF_Q5_1};
    struct quant_recipe recipe = recipe_of("Q4_0");
    recipe.overrides = &override;
    recipe.n_overrides = 1;
    return quant_recipe_apply(model, &recipe, true, choices, err);
}

static void patterns_are_perl_compatible(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        bool found;
    } rows[] = {
        {"blk\\.\\d+\\.attn_q", true},
        {"(?:attn_q|attn_k)\\.", true},
        {"ATTN_Q", true},
        {"^attn_q", false},
        {"\\S+weight$", true},
        {"blk.[4-9]", false},
        {"(?=attn)attn_q", true},
        {"", true},
    };
    begin("llama");
    layers(1, "attn_q.weight");
    struct gguf *model = finish();
    struct quant_choice choice;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(apply_pattern(model, rows[i].pattern, &choice, NULL), GGUF_OK);
        assert_int_equal(choice.type, rows[i].found ? GGUF_Q5_1 : GGUF_Q4_0);
        assert_int_equal(choice.reason, rows[i].found ? QUANT_OVERRIDDEN : QUANT_MIXED);
    }
    gguf_close(model);
}

static void bad_patterns_are_named(void **state)
{
    (void)state;
    begin("llama");
    tiny_tensor(&tiny, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.weight", GGUF_F32,
                square, NULL);
    struct gguf *model = finish();
    struct quant_choice choice;
    struct gguf_error err;
    assert_int_equal(apply_pattern(model, "ffn_(up", &choice, &err), GGUF_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "'ffn_(up'"));
    assert_non_null(strstr(err.message, "character 8"));
    /* exponential: must end, and say so */
    assert_int_equal(apply_pattern(model, "(a|aa)+[!?]", &choice, &err), GGUF_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "too long"));
    gguf_close(model);
}

static void overrides_are_out_of_the_count(void **state)
{
    (void)state;
    begin("llama");
    hyperparameter("llama", "block_count", 8);
    layers(8, "attn_v.weight");
    struct gguf *model = finish();
    struct quant_recipe recipe = recipe_of("Q3_K_M");
    const struct quant_override override = {"blk\\.0\\.", GGUF_Q8_0};
    assert_type(model, "Q3_K_M", "blk.2.attn_v.weight", GGUF_Q4_K);
    recipe.overrides = &override;
    recipe.n_overrides = 1;
    assert_int_equal(choice_of(model, &recipe, "blk.0.attn_v.weight").type, GGUF_Q8_0);
    assert_int_equal(choice_of(model, &recipe, "blk.2.attn_v.weight").type, GGUF_Q5_K);
    assert_int_equal(choice_of(model, &recipe, "blk.3.attn_v.weight").type, GGUF_Q4_K);
    gguf_close(model);
}

static void mixes_by_name_and_number(void **state)
{
    (void)state;
    assert_string_equal(quant_mix_by_name("q4_k")->name, "Q4_K_M");
    assert_string_equal(quant_mix_by_name("Q5_K")->name, "Q5_K_M");
    assert_string_equal(quant_mix_by_name("mxfp4")->name, "MXFP4_MOE");
    assert_null(quant_mix_by_name("Q4_K_XL"));
    assert_null(quant_mix_by_name(""));
    assert_string_equal(quant_mix_by_file_type(15)->name, "Q4_K_M");
    assert_false(quant_mix_by_file_type(19)->can_encode);
    assert_string_equal(quant_mix_by_file_type(33)->name, "Q4_0_4_4");
    assert_null(quant_mix_by_file_type(1024));
    assert_null(quant_mix_by_file_type(QUANT_TYPE_NONE));
    size_t count = 0;
    for (const struct quant_mix *mix; (mix = quant_mix_at(count)); count++) {
        assert_ptr_equal(quant_mix_by_name(mix->name), mix);
        assert_true(mix->base == QUANT_TYPE_NONE || gguf_type_find(mix->base) != NULL);
        assert_true(strlen(mix->summary) > 0);
        assert_true(mix->wants_importance == (strcmp(mix->name, "Q2_K_S") == 0));
    }
    assert_null(quant_mix_at(SIZE_MAX));
}

/* A recorded model, with a name of its own for the report. */
#define RECORDED(model)                                                                        \
    {                                                                                          \
        "types of " model, types_equal_the_peers, NULL, NULL, (void *)model                    \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        RECORDED("a_llama8"),
        RECORDED("b_llama32_gqa4"),
        RECORDED("d_llama16_tied"),
        RECORDED("e_mixtral8x8"),
        RECORDED("h_phi3"),
        RECORDED("j1_odd_ffn"),
        cmocka_unit_test(falcon_has_its_own_rules),
        cmocka_unit_test(large_models_get_more_for_attn_v),
        cmocka_unit_test(few_layers_have_no_early_ones),
        cmocka_unit_test(names_decide_the_role),
        cmocka_unit_test(scales_count_as_attn_v),
        cmocka_unit_test(some_tensors_are_kept),
        cmocka_unit_test(rows_that_do_not_divide),
        cmocka_unit_test(order_of_the_output),
        cmocka_unit_test(patterns_are_perl_compatible),
        cmocka_unit_test(bad_patterns_are_named),
        cmocka_unit_test(overrides_are_out_of_the_count),
        cmocka_unit_test(mixes_by_name_and_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
