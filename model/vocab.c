/* Loading a vocabulary from the metadata, and looking texts up in it. */
#include "model/vocab.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static const struct vocab_kind kinds[] = {
    {.model = "llama",
     .name = "SPM",
     .bos = 1,
     .eos = 2,
     .unk = 0,
     .add_bos = true,
     .add_space_prefix = true,
     .needs_scores = true,
     .load = spm_load,
     .encode = spm_encode},
    {.model = "gpt2",
     .name = "BPE",
     .bos = TOKENIZER_NONE,
     .eos = TOKENIZER_NONE,
     .unk = TOKENIZER_NONE,
     .load = bpe_load,
     .free = bpe_free,
     .encode = bpe_encode},
    {.model = "bert",
     .name = "WPM",
     .bos = 101,
     .eos = 102,
     .unk = 100,
     .add_bos = true,
     .load = wpm_load,
     .free = wpm_free,
     .encode = wpm_encode},
};

/* ---- Texts to ids --------------------------------------------------------------- */

static bool same(struct gguf_str a, struct gguf_str b)
{
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

/* The address is part of the seed: collisions cannot be prepared in a file. */
static size_t first_slot(const struct tokenizer *t, struct gguf_str text)
{
    uint64_t hash = XXH3_64bits_withSeed(text.data, text.size, (uintptr_t)t->slots);
    return (size_t)hash & (t->capacity - 1);
}

/* The slot of a text, or the empty one where it belongs. */
static size_t find_slot(const struct tokenizer *t, struct gguf_str text)
{
    size_t i = first_slot(t, text);
    while (t->slots[i] != 0 && !same(t->text[t->slots[i] - 1], text))
        i = (i + 1) & (t->capacity - 1);
    return i;
}

int32_t vocab_find(const struct tokenizer *t, struct gguf_str text)
{
    size_t i = find_slot(t, text);
    return t->slots[i] ? (int32_t)(t->slots[i] - 1) : TOKENIZER_NONE;
}

/* Of equal texts the last one counts, as in the engines. Empty ones are never found. */
static enum gguf_status build_index(struct tokenizer *t, struct gguf_error *err)
{
    t->capacity = 64;
    while (t->capacity < t->count + t->count / 2)
        t->capacity *= 2;
    t->slots = calloc(t->capacity, sizeof *t->slots);
    if (!t->slots)
        return gguf_fail_memory(err);
    for (size_t id = 0; id < t->count; id++) {
        if (t->text[id].size)
            t->slots[find_slot(t, t->text[id])] = (uint32_t)(id + 1);
    }
    return GGUF_OK;
}

/* ---- Arrays of the file --------------------------------------------------------- */

/* An array with one element a token. */
static enum gguf_status find_array(const struct gguf *model, const char *key,
                                   enum gguf_value_type item, size_t count,
                                   struct gguf_value *array, struct gguf_error *err)
{
    const struct gguf_kv *kv = gguf_kv_find(model, key);
    if (!kv)
        return gguf_fail(err, GGUF_ERR_CORRUPT, GGUF_NO_OFFSET, "%s is missing", key);
    if (!gguf_get_array(model, key, item, array))
        return gguf_fail(err, GGUF_ERR_CORRUPT, GGUF_NO_OFFSET,
                         "%s: expected an array of %s, found %s%s", key,
                         gguf_value_type_name(item),
                         kv->value.type == GGUF_VALUE_ARRAY ? "an array of " : "",
                         gguf_value_type_name((enum gguf_value_type)kv->value.item));
    if (count && array->count != count)
        return gguf_fail(err, GGUF_ERR_CORRUPT, GGUF_NO_OFFSET,
                         "%s: expected one element for each of the %zu tokens, found %llu", key,
                         count, (unsigned long long)array->count);
    return GGUF_OK;
}

static enum gguf_status load_texts(struct tokenizer *t, const struct gguf *model,
                                   struct gguf_error *err)
{
    struct gguf_value array = {0};
    enum gguf_status status =
        find_array(model, "tokenizer.ggml.tokens", GGUF_VALUE_STRING, 0, &array, err);
    if (status != GGUF_OK)
        return status;
    if (array.count == 0 || array.count > INT32_MAX)
        return gguf_fail(err, GGUF_ERR_CORRUPT, GGUF_NO_OFFSET,
                         "tokenizer.ggml.tokens: expected 1 to 2147483647 tokens, found %llu",
                         (unsigned long long)array.count);
    t->count = (size_t)array.count;
    t->text = calloc(t->count, sizeof *t->text);
    if (!t->text)
        return gguf_fail_memory(err);
    struct gguf_iter it = gguf_items(array);
    struct gguf_value item;
    for (size_t id = 0; id < t->count && gguf_next(&it, &item); id++)
        gguf_value_string(item, &t->text[id]);
    return GGUF_OK;
}

static enum gguf_status load_scores(struct tokenizer *t, const struct gguf *model,
                                    struct gguf_error *err)
{
    static const char key[] = "tokenizer.ggml.scores";
    struct gguf_value array = {0};
    if (!t->kind->needs_scores)
        return GGUF_OK;
    enum gguf_status status = find_array(model, key, GGUF_VALUE_F32, t->count, &array, err);
    if (status != GGUF_OK)
        return status;
    t->score = malloc(t->count * sizeof *t->score);
    if (!t->score)
        return gguf_fail_memory(err);
    gguf_value_f32s(array, t->score, t->count);
    for (size_t id = 0; id < t->count; id++) {
        if (isnan(t->score[id]))
            return gguf_fail(err, GGUF_ERR_CORRUPT, GGUF_NO_OFFSET,
                             "%s: the score of token %zu is no number", key, id);
    }
    return GGUF_OK;
}

/* Without the array every token is a normal one. */
static enum gguf_status load_types(struct tokenizer *t, const struct gguf *model,
                                   struct gguf_error *err)
{
    static const char key[] = "tokenizer.ggml.token_type";
    t->type = malloc(t->count);
    if (!t->type)
        return gguf_fail_memory(err);
    memset(t->type, TOKEN_NORMAL, t->count);
    if (!gguf_kv_find(model, key))
        return GGUF_OK;
    struct gguf_value array = {0}, item;
    enum gguf_status status = find_array(model, key, GGUF_VALUE_I32, t->count, &array, err);
    if (status != GGUF_OK)
        return status;
    struct gguf_iter it = gguf_items(array);
    for (size_t id = 0; id < t->count && gguf_next(&it, &item); id++) {
        int64_t type = TOKEN_UNUSED;
        gguf_value_i64(item, &type);
        t->type[id] = type >= TOKEN_NORMAL && type <= TOKEN_BYTE ? (uint8_t)type : TOKEN_UNUSED;
    }
    return GGUF_OK;
}

/* ---- Special tokens ------------------------------------------------------------- */

/* The id of a key; TOKENIZER_NONE where it does not exist (some files say 4294967295). */
static int32_t special_id(const struct tokenizer *t, const struct gguf *model, const char *key,
                          int32_t otherwise)
{
    uint64_t id;
    if (!gguf_get_u64(model, key, &id))
        id = otherwise < 0 ? UINT64_MAX : (uint64_t)otherwise;
    return id < t->count ? (int32_t)id : TOKENIZER_NONE;
}

static void load_special(struct tokenizer *t, const struct gguf *model)
{
    const struct vocab_kind *kind = t->kind;
    int32_t cls = special_id(t, model, "tokenizer.ggml.cls_token_id", kind->bos);
    int32_t sep = special_id(t, model, "tokenizer.ggml.seperator_token_id", kind->eos);
    bool is_wpm = kind->encode == wpm_encode;
    t->special[TOKENIZER_BOS] =
        special_id(t, model, "tokenizer.ggml.bos_token_id", is_wpm ? cls : kind->bos);
    t->special[TOKENIZER_EOS] =
        is_wpm ? sep : special_id(t, model, "tokenizer.ggml.eos_token_id", kind->eos);
    t->special[TOKENIZER_EOT] =
        special_id(t, model, "tokenizer.ggml.eot_token_id", TOKENIZER_NONE);
    t->special[TOKENIZER_EOM] =
        special_id(t, model, "tokenizer.ggml.eom_token_id", TOKENIZER_NONE);
    t->special[TOKENIZER_UNK] =
        special_id(t, model, "tokenizer.ggml.unknown_token_id", kind->unk);
    t->add_bos = kind->add_bos;
    t->add_eos = is_wpm;
    t->add_space_prefix = kind->add_space_prefix;
    gguf_get_bool(model, "tokenizer.ggml.add_bos_token", &t->add_bos);
    gguf_get_bool(model, "tokenizer.ggml.add_eos_token", &t->add_eos);
    gguf_get_bool(model, "tokenizer.ggml.add_space_prefix", &t->add_space_prefix);
}

/* Phi-3 takes the white space after a special token for a part of it. The file has no key
 * for that: the name of the model decides, as in the engines. */
static bool is_phi3(const struct gguf *model)
{
    struct gguf_str name;
    if (!gguf_get_string(model, "general.name", &name))
        return false;
    for (size_t i = 0; i + 4 <= name.size; i++) {
        const char *p = name.data + i;
        bool phi = (p[0] | 32) == 'p' && (p[1] | 32) == 'h' && (p[2] | 32) == 'i';
        if (phi && (p[3] == '3' || (p[3] == '-' && i + 5 <= name.size && p[4] == '3')))
            return true;
    }
    return false;
}

/* Files often leave out which tokens end a turn, or call them user-defined: they are known by
 * their names, and are control tokens. */
static void load_ends(struct tokenizer *t)
{
    static const char *const names[] = {
        "</s>",          "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>",
        "<|eom_id|>",    "<|im_end|>",    "<|end|>",         "<|return|>",
        "<end_of_turn>", "<eos>",         "<EOT>",           "<end_of_utterance>",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        int32_t id = vocab_find(t, (struct gguf_str){names[i], strlen(names[i])});
        if (id != TOKENIZER_NONE) {
            t->type[id] = TOKEN_CONTROL;
            t->ends[t->n_ends++] = id;
        }
    }
}

static enum gguf_status load_marks(const struct tokenizer *t, enum token_type first,
                                   struct prefix_set *set, struct gguf_error *err)
{
    size_t n = 0;
    for (size_t id = 0; id < t->count; id++)
        n += t->type[id] >= first && t->type[id] <= TOKEN_USER_DEFINED;
    set->items = malloc((n + 1) * sizeof *set->items);
    if (!set->items)
        return gguf_fail_memory(err);
    for (size_t id = 0; id < t->count; id++) {
        bool is_mark = t->type[id] >= first && t->type[id] <= TOKEN_USER_DEFINED;
        if (is_mark && t->text[id].size && t->text[id].size <= PREFIX_MAX)
            set->items[set->count++] = (struct prefix){t->text[id], (int32_t)id};
    }
    prefix_set_sort(set);
    return GGUF_OK;
}

/* "<0x0A>": the spelling of a byte in SPM vocabularies. */
static void load_byte_tokens(struct tokenizer *t)
{
    static const char digits[] = "0123456789ABCDEF";
    for (unsigned b = 0; b < 256; b++) {
        const char text[6] = {'<', '0', 'x', digits[b >> 4], digits[b & 15], '>'};
        const char raw = (char)b;
        t->byte_token[b] = vocab_find(t, (struct gguf_str){text, sizeof text});
        if (t->byte_token[b] == TOKENIZER_NONE)
            t->byte_token[b] = vocab_find(t, (struct gguf_str){&raw, 1});
    }
}

/* ---- Open ----------------------------------------------------------------------- */

static enum gguf_status find_kind(const struct gguf *model, const struct vocab_kind **kind,
                                  struct gguf_error *err)
{
    struct gguf_str name;
    if (!gguf_get_string(model, "tokenizer.ggml.model", &name))
        return gguf_fail(err, GGUF_ERR_UNSUPPORTED, GGUF_NO_OFFSET,
                         "the file has no vocabulary: tokenizer.ggml.model is missing");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (gguf_str_equal(name, kinds[i].model)) {
            *kind = &kinds[i];
            return GGUF_OK;
        }
    }
    return gguf_fail(err, GGUF_ERR_UNSUPPORTED, GGUF_NO_OFFSET,
                     "tokenizer.ggml.model: expected llama, gpt2 or bert, found \"%s\"",
                     gguf_text(name).text);
}

static enum gguf_status load(struct tokenizer *t, const struct gguf *model,
                             struct gguf_error *err)
{
    enum gguf_status status = load_texts(t, model, err);
    if (status == GGUF_OK)
        status = build_index(t, err);
    if (status == GGUF_OK)
        status = load_scores(t, model, err);
    if (status == GGUF_OK)
        status = load_types(t, model, err);
    if (status != GGUF_OK)
        return status;
    load_special(t, model);
    load_ends(t);
    load_byte_tokens(t);
    t->strip_after = is_phi3(model);
    status = load_marks(t, TOKEN_UNKNOWN, &t->marks, err);
    if (status == GGUF_OK)
        status = load_marks(t, TOKEN_USER_DEFINED, &t->user_marks, err);
    return status == GGUF_OK ? t->kind->load(t, model, err) : status;
}

enum gguf_status tokenizer_open(struct tokenizer **out, const struct gguf *model,
                                struct gguf_error *err)
{
    *out = NULL;
    struct tokenizer *t = calloc(1, sizeof *t);
    if (!t)
        return gguf_fail_memory(err);
    enum gguf_status status = find_kind(model, &t->kind, err);
    if (status == GGUF_OK)
        status = load(t, model, err);
    if (status == GGUF_OK)
        *out = t;
    else
        tokenizer_close(t);
    return status;
}

void tokenizer_close(struct tokenizer *t)
{
    if (!t)
        return;
    if (t->kind && t->kind->free)
        t->kind->free(t);
    free(t->user_marks.items);
    free(t->marks.items);
    free(t->slots);
    free(t->type);
    free(t->score);
    free(t->text);
    free(t);
}

/* ---- Questions ---------------------------------------------------------------------- */

const char *tokenizer_kind(const struct tokenizer *t)
{
    return t->kind->name;
}

const char *tokenizer_pre(const struct tokenizer *t)
{
    return t->bpe ? bpe_pre(t) : "";
}

size_t tokenizer_count(const struct tokenizer *t)
{
    return t->count;
}

struct gguf_str tokenizer_token(const struct tokenizer *t, int32_t id)
{
    if (id < 0 || (size_t)id >= t->count)
        return (struct gguf_str){"", 0};
    return t->text[id];
}

int32_t tokenizer_special(const struct tokenizer *t, enum tokenizer_special which)
{
    return t->special[which];
}

bool tokenizer_adds_bos(const struct tokenizer *t)
{
    return t->add_bos;
}

bool tokenizer_adds_eos(const struct tokenizer *t)
{
    return t->add_eos;
}

bool tokenizer_is_end(const struct tokenizer *t, int32_t id)
{
    if (id < 0)
        return false;
    for (size_t i = 0; i < t->n_ends; i++) {
        if (t->ends[i] == id)
            return true;
    }
    return id == t->special[TOKENIZER_EOS] || id == t->special[TOKENIZER_EOT] ||
           id == t->special[TOKENIZER_EOM];
}
