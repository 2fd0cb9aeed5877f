/* A text that runs through a model while the inputs of its matrices are added up: for
 * gguf-imatrix and gguf-quant --calibrate. Any trouble is a message and exit 2. */
#ifndef TOOLS_COMMON_CALIBRATE_H
#define TOOLS_COMMON_CALIBRATE_H

#include "model/capture.h"
#include "tools/common/text.h"

struct calibration_request {
    const char *model, *text;
    uint64_t chunk, chunks; /* tokens of a chunk and how many of them; 0: what is usual, all */
    enum model_activations activations;
    bool output; /* output.weight too */
    int threads;
    enum quant_cpu cpu;
};

struct calibration {
    const struct calibration_request *request;
    struct gguf *gguf;
    struct model *model;
    struct model_context *context;
    struct tokenizer *tokenizer;
    struct model_capture *capture;
    struct token_list tokens;
    uint32_t chunk;
    size_t chunks;
    uint32_t *window; /* [chunk], the tokens that are evaluated */
    size_t rows;      /* positions whose logits are worked out at once */
    float *logits;    /* [rows][vocab]; NULL without `output` */
    /* Fingerprints in hexadecimal digits: of the tokens; of the tensors (names, sizes, types,
     * first bytes) and of the settings that change sums. */
    char text_print[33], model_print[33];
};

/* Opens the model and cuts the text. Chunks are added to `tally`, which is borrowed. */
void calibration_open(struct calibration *c, const struct calibration_request *request,
                      struct quant_tally *tally);
/* Evaluates one chunk. */
void calibration_chunk(struct calibration *c, size_t index);
void calibration_close(struct calibration *c);

#endif
