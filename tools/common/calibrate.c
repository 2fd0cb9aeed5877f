/* A text that runs through a model, chunk by chunk. */
#include "tools/common/calibrate.h"

#include <inttypes.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define LOGITS_BYTES (64u << 20) /* at once */
#define PRINT_BYTES  256         /* of each tensor, in the fingerprint of a model */

static void must(enum gguf_status status, const char *name, const struct gguf_error *err)
{
    if (status != GGUF_OK)
        die_of(name, err);
}

/* ---- Fingerprints ---------------------------------------------------------------- */

static void print_hex(char out[33], XXH128_hash_t hash)
{
    snprintf(out, 33, "%016" PRIx64 "%016" PRIx64, (uint64_t)hash.high64, (uint64_t)hash.low64);
}

static void hash_u64(XXH3_state_t *state, uint64_t value)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(value >> (8 * i));
    XXH3_128bits_update(state, bytes, sizeof bytes);
}

static void hash_tensor(XXH3_state_t *state, const struct gguf *gguf,
                        const struct gguf_tensor *tensor)
{
    const void *data = gguf_tensor_map(gguf, tensor);
    XXH3_128bits_update(state, tensor->name.data, tensor->name.size);
    hash_u64(state, tensor->type);
    for (int i = 0; i < GGUF_MAX_DIMS; i++)
        hash_u64(state, tensor->ne[i]);
    if (data)
        XXH3_128bits_update(state, data,
                            tensor->bytes < PRINT_BYTES ? (size_t)tensor->bytes : PRINT_BYTES);
}

static void take_prints(struct calibration *c)
{
    XXH3_state_t *state = XXH3_createState();
    if (!state)
        cli_die_memory();
    XXH3_128bits_reset(state);
    for (size_t i = 0; i < c->tokens.count; i++)
        hash_u64(state, (uint64_t)c->tokens.ids[i]);
    print_hex(c->text_print, XXH3_128bits_digest(state));

    XXH3_128bits_reset(state);
    for (size_t i = 0; i < gguf_tensor_count(c->gguf); i++)
        hash_tensor(state, c->gguf, gguf_tensor_at(c->gguf, i));
    hash_u64(state, (uint64_t)c->request->activations);
    hash_u64(state, c->request->output);
    print_hex(c->model_print, XXH3_128bits_digest(state));
    XXH3_freeState(state);
}

/* ---- Opening --------------------------------------------------------------------- */

static void open_model(struct calibration *c, struct quant_tally *tally)
{
    const struct calibration_request *r = c->request;
    struct gguf_error err;
    c->gguf = open_file(r->model, GGUF_OPEN_MAP);
    must(model_capture_new(&c->capture, tally, r->output, &err), r->model, &err);
    const struct model_settings settings = {.activations = r->activations,
                                            .threads = r->threads,
                                            .has_cpu = true,
                                            .cpu = r->cpu,
                                            .half_cache =
                                                r->activations == MODEL_ACTIVATIONS_ENGINE,
                                            .input = model_capture_input,
                                            .input_user = c->capture};
    must(model_open(&c->model, c->gguf, &settings, &err), r->model, &err);
    c->tokenizer = open_tokenizer(c->gguf, r->model);
}

static void cut_text(struct calibration *c)
{
    const struct calibration_request *r = c->request;
    struct text text = text_read(r->text);
    text_encode(text, c->tokenizer, r->model, &c->tokens);
    text_free(&text);
    text_check_ids(&c->tokens, c->model, r->model, r->text);
    c->chunk = text_chunk_size(r->chunk, c->model, r->model);
    c->chunks = text_chunks(&c->tokens, c->chunk, r->text);
    if (r->chunks && r->chunks < c->chunks)
        c->chunks = (size_t)r->chunks;
}

void calibration_open(struct calibration *c, const struct calibration_request *request,
                      struct quant_tally *tally)
{
    struct gguf_error err;
    *c = (struct calibration){.request = request};
    if (request->threads)
        omp_set_num_threads(request->threads); /* for what is added up */
    open_model(c, tally);
    cut_text(c);
    const struct model_shape shape = {.n_ctx = c->chunk, .sequences = 1};
    must(model_context_new(&c->context, c->model, &shape, &err), request->model, &err);
    c->window = cli_alloc(c->chunk, sizeof *c->window);
    if (request->output) {
        size_t vocab = model_hparams(c->model)->vocab;
        size_t rows = LOGITS_BYTES / sizeof(float) / vocab;
        c->rows = rows == 0 ? 1 : rows < c->chunk ? rows : c->chunk;
        c->logits = cli_alloc(c->rows * vocab, sizeof(float));
    }
    take_prints(c);
}

void calibration_close(struct calibration *c)
{
    free(c->logits);
    free(c->window);
    token_list_free(&c->tokens);
    model_context_free(c->context);
    tokenizer_close(c->tokenizer);
    model_close(c->model);
    model_capture_free(c->capture);
    gguf_close(c->gguf);
}

/* ---- Evaluating ------------------------------------------------------------------ */

/* The input of output.weight is seen when logits are worked out. */
static void see_output(struct calibration *c)
{
    struct gguf_error err;
    for (size_t at = 0, n; c->logits && at < c->chunk; at += n) {
        n = c->chunk - at < c->rows ? c->chunk - at : c->rows;
        must(model_logits(c->context, at, n, c->logits, &err), c->request->model, &err);
    }
}

void calibration_chunk(struct calibration *c, size_t index)
{
    struct gguf_error err;
    const struct model_batch batch = {.tokens = c->window, .n = c->chunk};
    for (size_t i = 0; i < c->chunk; i++)
        c->window[i] = (uint32_t)c->tokens.ids[index * c->chunk + i];
    text_begin_chunk(c->tokenizer, c->window);
    model_context_reset(c->context);
    must(model_eval(c->context, &batch, &err), c->request->model, &err);
    see_output(c);
    must(model_capture_status(c->capture, &err), c->request->model, &err);
}
