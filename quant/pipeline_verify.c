/* Reading back what was written, before it gets its name. */
#include "quant/pipeline.h"
#include "libgguf/error.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct verifier {
    const struct gguf *model;
    const struct quant_item *items;
    size_t n;    /* items */
    size_t next; /* the item that comes next in the output */
    const struct quant_settings *settings;
    uint64_t done; /* bytes read back */
    unsigned char *buffer;
    XXH3_state_t *state;
};

static enum gguf_status digest_tensor(struct verifier *v, const struct gguf *output,
                                      const struct gguf_tensor *t, struct gguf_error *err)
{
    size_t step = quant_copy_step(t);
    enum gguf_status status = GGUF_OK;
    XXH3_64bits_reset(v->state);
    for (uint64_t at = 0; at < t->bytes && !status; at += step) {
        size_t size = (size_t)(t->bytes - at < step ? t->bytes - at : step);
        status = gguf_tensor_read(output, t, at, v->buffer, size, err);
        if (status)
            break;
        XXH3_64bits_update(v->state, v->buffer, size);
        v->done += size;
        status = quant_report(v->settings, v->done, t->name, err);
    }
    return status;
}

static bool is_same_tensor(const struct gguf_tensor *t, struct gguf_str name, uint32_t type)
{
    return t->type == type && t->name.size == name.size &&
           memcmp(t->name.data, name.data, name.size) == 0;
}

static enum gguf_status verify_tensor(struct verifier *v, const struct gguf *output,
                                      const struct gguf_tensor *t, struct gguf_error *err)
{
    const struct quant_item *item = v->next < v->n ? &v->items[v->next++] : NULL;
    if (!item || !is_same_tensor(t, gguf_tensor_at(v->model, item->choice.tensor)->name,
                                 item->choice.type))
        return gguf_fail(err, GGUF_ERR_DATA, t->offset, "%s: tensor %s is not what was written",
                         quant_path_of(output, t), gguf_text(t->name).text);
    enum gguf_status status = digest_tensor(v, output, t, err);
    if (!status && XXH3_64bits_digest(v->state) != item->digest)
        return gguf_fail(
            err, GGUF_ERR_DATA, t->offset,
            "%s: tensor %s reads back different from what was written: the disk or "
            "the memory is faulty",
            quant_path_of(output, t), gguf_text(t->name).text);
    return status;
}

static enum gguf_status verify_file(struct verifier *v, const char *path,
                                    struct gguf_error *err)
{
    struct gguf *output;
    enum gguf_status status = gguf_open(&output, path, GGUF_OPEN_SINGLE, err);
    for (size_t i = 0; !status && i < gguf_tensor_count(output); i++)
        status = verify_tensor(v, output, gguf_tensor_at(output, i), err);
    gguf_close(output);
    return status;
}

static enum gguf_status verify_files(struct verifier *v, const struct gguf_writer *writer,
                                     struct gguf_error *err)
{
    enum gguf_status status = GGUF_OK;
    for (size_t i = 0; i < gguf_writer_file_count(writer) && !status; i++)
        status = verify_file(v, gguf_writer_temp_path(writer, i), err);
    if (!status && v->next != v->n)
        status = gguf_fail(err, GGUF_ERR_DATA, GGUF_NO_OFFSET,
                           "the output has %zu tensors; %zu were written", v->next, v->n);
    return status;
}

enum gguf_status quant_verify(const struct gguf *model, const struct gguf_writer *writer,
                              const struct quant_item *items, size_t n,
                              const struct quant_settings *settings, struct gguf_error *err)
{
    struct verifier v = {.model = model, .items = items, .n = n, .settings = settings};
    v.buffer = malloc(COPY_BYTES);
    v.state = XXH3_createState();
    enum gguf_status status =
        v.buffer && v.state ? verify_files(&v, writer, err) : gguf_fail_memory(err);
    XXH3_freeState(v.state);
    free(v.buffer);
    return status;
}
