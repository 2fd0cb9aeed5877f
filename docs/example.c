/* What is in a GGUF model: cc -std=c11 example.c $(pkg-config --cflags --libs libgguf) */
#include "libgguf/gguf.h"

#include <inttypes.h>
#include <stdio.h>

/* Strings of a file may hold anything: they are escaped before they reach a terminal. */
static void print_string(const char *label, struct gguf_str s)
{
    char text[256];
    gguf_str_escape(text, sizeof text, s);
    printf("%s: %s\n", label, text);
}

/* Counts the tensors of one type; returns their bytes. */
static uint64_t print_type(const struct gguf *model, const struct gguf_type_info *type)
{
    uint64_t tensors = 0, bytes = 0;
    for (size_t i = 0; i < gguf_tensor_count(model); i++) {
        if (gguf_tensor_at(model, i)->type == type->id) {
            bytes += gguf_tensor_at(model, i)->bytes;
            tensors++;
        }
    }
    if (tensors > 0)
        printf("%s: %" PRIu64 " tensors, %" PRIu64 " bytes\n", type->name, tensors, bytes);
    return bytes;
}

int main(int argc, char **argv)
{
    struct gguf *model = NULL;
    struct gguf_error err = {.message = "usage: example MODEL.gguf"};
    struct gguf_str name = {"", 0};
    uint64_t bytes = 0;
    float x[3];

    if (argc != 2 || gguf_open(&model, argv[1], 0, &err) != GGUF_OK)
        goto fail;
    gguf_get_string(model, "general.name", &name);
    print_string("name", name);
    print_string("architecture", gguf_architecture(model));
    for (size_t t = 0; gguf_type_at(t); t++)
        bytes += print_type(model, gguf_type_at(t));
    printf("all tensors: %" PRIu64 " bytes\n", bytes);

    const struct gguf_tensor *norm = gguf_tensor_find(model, "output_norm.weight");
    if (norm && norm->type == GGUF_F32) { /* quant/quant.h decodes the other types */
        if (gguf_tensor_read(model, norm, 0, x, sizeof x, &err) != GGUF_OK)
            goto fail;
        printf("output_norm.weight: %g %g %g\n", x[0], x[1], x[2]);
    }
    gguf_close(model);
    return 0;
fail:
    fprintf(stderr, "%s\n", err.message);
    gguf_close(model);
    return 2;
}
