/* Chooses the type of every tensor: options first, then the mix, then what fits. */
#include "quant/recipe.h"
#include "libgguf/error.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

/* ---- Overrides by name -------------------------------------------------------------- */

/* A pattern of the user's may need exponential time: it gets this many steps a name. */
#define MATCH_STEPS 200000
#define MATCH_KIB   4096

struct overrides {
    const struct quant_override *list;
    size_t count;
    pcre2_code **codes;
    pcre2_match_data *match;
    pcre2_match_context *limits;
};

static void overrides_free(struct overrides *overrides)
{
    for (size_t i = 0; overrides->codes && i < overrides->count; i++)
        pcre2_code_free(overrides->codes[i]);
    free(overrides->codes);
    pcre2_match_data_free(overrides->match);
    pcre2_match_context_free(overrides->limits);
}

static enum gguf_status compile(pcre2_code **code, const char *pattern, struct gguf_error *err)
{
    const uint32_t options = PCRE2_CASELESS | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C;
    int error;
    PCRE2_SIZE place;
    *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &error, &place,
                          NULL);
    if (*code)
        return GGUF_OK;

    PCRE2_UCHAR reason[128] = "";
    pcre2_get_error_message(error, reason, sizeof reason);
    return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                     "bad pattern '%s' for a tensor type, at character %zu: %s", pattern,
                     (size_t)place + 1, (const char *)reason);
}

static enum gguf_status overrides_compile(struct overrides *overrides, struct gguf_error *err)
{
    overrides->codes = calloc(overrides->count, sizeof *overrides->codes);
    overrides->match = pcre2_match_data_create(1, NULL);
    overrides->limits = pcre2_match_context_create(NULL);
    if (!overrides->codes || !overrides->match || !overrides->limits)
        return gguf_fail_memory(err);
    pcre2_set_match_limit(overrides->limits, MATCH_STEPS);
    pcre2_set_heap_limit(overrides->limits, MATCH_KIB);

    for (size_t i = 0; i < overrides->count; i++) {
        enum gguf_status status =
            compile(&overrides->codes[i], overrides->list[i].pattern, err);
        if (status != GGUF_OK)
            return status;
    }
    return GGUF_OK;
}

/* Sets *type if a pattern is found in the name, otherwise leaves it. */
static enum gguf_status overrides_find(const struct overrides *overrides, struct gguf_str name,
                                       uint32_t *type, struct gguf_error *err)
{
    for (size_t i = 0; i < overrides->count; i++) {
        int found = pcre2_match(overrides->codes[i], (PCRE2_SPTR)name.data, name.size, 0, 0,
                                overrides->match, overrides->limits);
        if (found >= 0) {
            *type = overrides->list[i].type;
            return GGUF_OK;
        }
        if (found != PCRE2_ERROR_NOMATCH) {
            return gguf_fail(err, GGUF_ERR_ARGUMENT, GGUF_NO_OFFSET,
                             "pattern '%s' for a tensor type takes too long to match '%s'",
                             overrides->list[i].pattern, gguf_text(name).text);
        }
    }
    return GGUF_OK;
}

/* ---- What the rules ask of a model ---------------------------------------------------- */

struct context {
    const struct gguf *model;
    const struct quant_recipe *recipe;
    struct overrides overrides;
    unsigned facts;    /* of the model and the run */
    bool tied;         /* no output.weight: the embedding serves as the output */
    bool large;        /* of the 70B class */
    uint64_t n_layers; /* block_count */
    uint64_t n_experts;
    uint64_t n_attn_v;         /* tensors of that role, quantized or not */
    uint64_t seen[ROLE_COUNT]; /* tensors of a role that the mix has decided so far */
};

/* A hyperparameter, or its first element where it is given per layer. */
static uint64_t first_u64(const struct gguf *model, const char *suffix, uint64_t fallback)
{
    const struct gguf_kv *kv = gguf_kv_find_arch(model, suffix);
    if (!kv)
        return fallback;
    struct gguf_iter it = gguf_items(kv->value);
    struct gguf_value item;
    uint64_t value;
    return gguf_next(&it, &item) && gguf_value_u64(item, &value) ? value : fallback;
}

/* The models of 70B parameters, told by 80 layers: their attn_v is small for their size. */
static bool is_70b(struct gguf_str architecture, uint64_t n_layers, bool grouped_heads)
{
    static const struct {
        const char *architecture;
        bool only_grouped; /* with ungrouped heads it is another model (65B) */
    } rows[] = {{"llama", true}, {"qwen2", false}, {"deci", false}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (gguf_str_equal(architecture, rows[i].architecture))
            return n_layers == 80 && (grouped_heads || !rows[i].only_grouped);
    }
    return false;
}

static void read_model(struct context *c)
{
    struct gguf_str architecture = gguf_architecture(c->model);
    uint64_t heads = first_u64(c->model, "attention.head_count", 0);
    uint64_t kv_heads = first_u64(c->model, "attention.head_count_kv", heads);

    c->n_layers = first_u64(c->model, "block_count", 0);
    c->n_experts = first_u64(c->model, "expert_count", 0);
    if (c->n_layers > UINT32_MAX) /* no sense in it, but then no overflow either */
        c->n_layers = 0;
    c->tied = gguf_tensor_find(c->model, "output.weight") == NULL;
    c->large = is_70b(architecture, c->n_layers, heads != kv_heads);
    for (size_t i = 0; i < gguf_tensor_count(c->model); i++)
        c->n_attn_v += recipe_role_of(gguf_tensor_at(c->model, i)->name) == ROLE_ATTN_V;

    c->facts = c->recipe->has_imatrix ? FACT_IMATRIX : FACT_NO_IMATRIX;
    c->facts |= gguf_str_equal(architecture, "falcon") ? FACT_FALCON : FACT_NOT_FALCON;
    if (kv_heads && heads / kv_heads >= 4)
        c->facts |= FACT_GQA_4;
    if (c->n_experts >= 4)
        c->facts |= FACT_EXPERTS_4;
    if (c->n_experts == 8)
        c->facts |= FACT_EXPERTS_8;
}

/* ---- One tensor ----------------------------------------------------------------------- */

/* The role in the mix: an embedding that serves as the output is the output. */
static enum recipe_role role_of(const struct context *c, struct gguf_str name)
{
    enum recipe_role role = recipe_role_of(name);
    return role == ROLE_EMBEDDING && c->tied ? ROLE_OUTPUT : role;
}

/* The layer for the rules: a count of tensors, except that with experts the number of
 * the block is taken for the feed-forward ones, of which a block may have several. */
static uint64_t layer_of(const struct context *c, struct gguf_str name, enum recipe_role role)
{
    bool feed_forward = role == ROLE_FFN_DOWN || role == ROLE_FFN_GATE || role == ROLE_FFN_UP;
    uint64_t number;
    if (feed_forward && c->n_experts > 1 && recipe_block_number(name, &number))
        return number;
    return c->seen[role];
}

static uint32_t mix_type(struct context *c, const struct gguf_tensor *tensor)
{
    enum recipe_role role = role_of(c, tensor->name);
    uint64_t n = role == ROLE_ATTN_V ? c->n_attn_v : c->n_layers;
    unsigned facts = c->facts | recipe_layer_facts(layer_of(c, tensor->name, role), n);
    if (tensor->ne[2] > 1)
        facts |= FACT_3D;
    c->seen[role]++;

    uint32_t type = recipe_rule_type(c->recipe->mix, role, facts);
    bool raise = c->large && role == ROLE_ATTN_V && (type == GGUF_Q3_K || type == GGUF_Q4_K);
    return raise ? GGUF_Q5_K : type;
}

/* The type that --output-tensor-type or --token-embedding-type gives, or NONE. Both are
 * for the tensor of that name; the embedding may stand in for the output (not with
 * `pure`, nor where --tensor-type names it: then it is an embedding only). */
static uint32_t option_type(const struct context *c, struct gguf_str name, bool overridden)
{
    enum recipe_role role = recipe_role_of(name);
    const struct quant_recipe *recipe = c->recipe;
    if (role == ROLE_OUTPUT)
        return recipe->output_type;
    if (role != ROLE_EMBEDDING)
        return QUANT_TYPE_NONE;
    if (recipe->embedding_type != QUANT_TYPE_NONE)
        return recipe->embedding_type;
    bool stands_in = c->tied && !recipe->pure && !overridden;
    return stands_in && recipe_has_rules(recipe->mix->file_type) ? recipe->output_type
                                                                 : QUANT_TYPE_NONE;
}

/* Decides `wanted` and `reason` for a tensor that is to be quantized. */
static enum gguf_status want(struct context *c, const struct gguf_tensor *tensor,
                             struct quant_choice *choice, struct gguf_error *err)
{
    bool rules = recipe_has_rules(c->recipe->mix->file_type);
    uint32_t type = QUANT_TYPE_NONE;
    if (rules) {
        enum gguf_status status = overrides_find(&c->overrides, tensor->name, &type, err);
        if (status != GGUF_OK)
            return status;
    }
    uint32_t option = option_type(c, tensor->name, type != QUANT_TYPE_NONE);
    if (option != QUANT_TYPE_NONE)
        type = option;

    choice->reason = type == QUANT_TYPE_NONE ? QUANT_MIXED : QUANT_OVERRIDDEN;
    if (type == QUANT_TYPE_NONE && rules && !c->recipe->pure)
        type = mix_type(c, tensor);
    choice->wanted = type == QUANT_TYPE_NONE ? c->recipe->mix->base : type;
    return GGUF_OK;
}

/* What is stored: `wanted` where its blocks divide a row, otherwise a smaller block. The
 * output is too sensitive for less than Q8_0, unless an option has it so. */
static void fit(const struct context *c, const struct gguf_tensor *tensor,
                struct quant_choice *choice)
{
    uint64_t columns = tensor->ne[0];
    choice->type = recipe_fallback(choice->wanted, columns);
    if (choice->type == choice->wanted) {
        if (choice->type == tensor->type)
            choice->reason = QUANT_KEPT;
        return;
    }
    bool by_mix = choice->reason == QUANT_MIXED && !c->recipe->pure;
    if (by_mix && role_of(c, tensor->name) == ROLE_OUTPUT)
        choice->type = recipe_fallback(GGUF_Q8_0, columns);
    choice->reason = QUANT_FALLBACK;
}

static enum gguf_status choose(struct context *c, uint32_t index, struct quant_choice *choice,
                               struct gguf_error *err)
{
    const struct gguf_tensor *tensor = gguf_tensor_at(c->model, index);
    bool left = c->recipe->leave_output && gguf_str_equal(tensor->name, "output.weight");
    bool copied = c->recipe->mix->base == QUANT_TYPE_NONE;

    *choice = (struct quant_choice){index, tensor->type, tensor->type, QUANT_KEPT};
    if (copied || left || !recipe_quantizes(tensor))
        return GGUF_OK;
    enum gguf_status status = want(c, tensor, choice, err);
    if (status == GGUF_OK)
        fit(c, tensor, choice);
    return status;
}

/* ---- All tensors ---------------------------------------------------------------------- */

static enum gguf_status choose_all(struct context *c, bool keep_order,
                                   struct quant_choice *choices, struct gguf_error *err)
{
    size_t count = gguf_tensor_count(c->model);
    uint32_t *order = calloc(count ? count : 1, sizeof *order);
    if (!order)
        return gguf_fail_memory(err);

    enum gguf_status status = recipe_order(c->model, order, err);
    for (size_t i = 0; status == GGUF_OK && i < count; i++)
        status = choose(c, order[i], &choices[keep_order ? order[i] : i], err);
    free(order);
    return status;
}

enum gguf_status quant_recipe_apply(const struct gguf *model, const struct quant_recipe *recipe,
                                    bool keep_order, struct quant_choice *choices,
                                    struct gguf_error *err)
{
    struct context c = {.model = model, .recipe = recipe};
    c.overrides.list = recipe->overrides;
    c.overrides.count = recipe->n_overrides;

    enum gguf_status status = GGUF_OK;
    if (recipe->n_overrides)
        status = overrides_compile(&c.overrides, err);
    if (status == GGUF_OK) {
        read_model(&c);
        status = choose_all(&c, keep_order, choices, err);
    }
    overrides_free(&c.overrides);
    return status;
}
