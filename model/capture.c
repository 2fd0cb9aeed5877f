/* Squared inputs of matrix products, added up by tensor, expert and column. */
#include "model/capture.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "libgguf/error.h"

#define BLOCK 64                /* columns that are added up together */
#define MANY  ((size_t)1 << 16) /* values that are worth several threads */

struct model_capture {
    struct quant_tally *tally;
    bool output;
    enum gguf_status status;
    struct gguf_error error;
};

enum gguf_status model_capture_new(struct model_capture **out, struct quant_tally *tally,
                                   bool output, struct gguf_error *err)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return gguf_fail_memory(err);
    (*out)->tally = tally;
    (*out)->output = output;
    return GGUF_OK;
}

void model_capture_free(struct model_capture *capture)
{
    free(capture);
}

enum gguf_status model_capture_status(const struct model_capture *capture,
                                      struct gguf_error *err)
{
    if (capture->status != GGUF_OK && err)
        *err = capture->error;
    return capture->status;
}

static bool is_counted(const struct model_capture *capture, struct gguf_str name)
{
    return (name.size > 4 && memcmp(name.data, "blk.", 4) == 0) ||
           (capture->output && gguf_str_equal(name, "output.weight"));
}

/* Tokens choose among the matrices: "blk.0.ffn_up_exps.weight". */
static bool is_routed(struct gguf_str name)
{
    static const char mark[] = "_exps.";
    const size_t n = sizeof mark - 1;
    for (size_t i = 0; i + n <= name.size; i++) {
        if (memcmp(name.data + i, mark, n) == 0)
            return true;
    }
    return false;
}

/* Adds columns [from, from + n) of all rows; false where a sum is not finite. */
static bool add_block(const struct model_input *input, size_t from, size_t n, float *sums)
{
    double squares[BLOCK] = {0};
    bool finite = true;
    for (size_t r = 0; r < input->rows; r++) {
        const float *row = input->data + r * input->columns + from;
        for (size_t c = 0; c < n; c++)
            squares[c] += (double)row[c] * (double)row[c];
    }
    for (size_t c = 0; c < n; c++) {
        double sum = (double)sums[from + c] + squares[c];
        finite = finite && sum <= (double)FLT_MAX;
        sums[from + c] = finite ? (float)sum : sums[from + c];
    }
    return finite;
}

static bool add_rows(const struct model_input *input, float *sums)
{
    size_t blocks = (input->columns + BLOCK - 1) / BLOCK;
    bool finite = true;
#pragma omp parallel for reduction(&& : finite) if (input->rows * input->columns >= MANY)
    for (size_t b = 0; b < blocks; b++) {
        size_t from = b * BLOCK, left = input->columns - from;
        finite = add_block(input, from, left < BLOCK ? left : BLOCK, sums) && finite;
    }
    return finite;
}

static enum gguf_status add_input(struct model_capture *capture,
                                  const struct model_input *input, struct gguf_error *err)
{
    bool routed = is_routed(input->name);
    uint64_t together = routed ? 1 : input->experts;
    struct quant_squares *entry;
    enum gguf_status status =
        quant_tally_entry(capture->tally, input->name, input->columns * together,
                          routed ? input->experts : 1, &entry, err);
    if (status != GGUF_OK)
        return status;
    if (!add_rows(input, entry->sums + input->expert * input->columns))
        return gguf_fail(err, GGUF_ERR_DATA, GGUF_NO_OFFSET,
                         "the inputs of '%s' have squares whose sum is not finite",
                         gguf_text(input->name).text);
    if (routed)
        entry->counts[input->expert] += (float)input->rows;
    for (uint64_t e = 0; !routed && input->expert == 0 && e < entry->experts; e++)
        entry->counts[e] += (float)input->rows;
    return GGUF_OK;
}

void model_capture_input(void *user, const struct model_input *input)
{
    struct model_capture *capture = user;
    if (capture->status == GGUF_OK && is_counted(capture, input->name))
        capture->status = add_input(capture, input, &capture->error);
}
