/* Reads all that an open model tells, for tests that look for a crash. */
#ifndef TESTS_UNIT_TOUCH_H
#define TESTS_UNIT_TOUCH_H

#include "libgguf/gguf.h"

static inline uint64_t touch_value(struct gguf_value value)
{
    uint64_t sum = value.size && value.data ? value.data[value.size - 1] : 0;
    struct gguf_iter it = gguf_items(value);
    for (struct gguf_value item; gguf_next(&it, &item);)
        sum += item.type == GGUF_VALUE_ARRAY ? touch_value(item)
               : item.size                   ? item.data[0] + item.data[item.size - 1]
                                             : 0;
    return sum;
}

/* Reads every byte that an open model promises. */
static inline void touch_model(const struct gguf *model)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < gguf_kv_count(model); i++)
        sum += touch_value(gguf_kv_at(model, i)->value);
    for (size_t i = 0; i < gguf_tensor_count(model); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(model, i);
        if (!t->readable)
            continue;
        unsigned char *bytes = malloc(t->bytes ? t->bytes : 1);
        assert_non_null(bytes);
        assert_int_equal(gguf_tensor_read(model, t, 0, bytes, t->bytes, NULL), GGUF_OK);
        sum += t->bytes ? bytes[t->bytes - 1] : 0;
        free(bytes);
    }
    assert_true(sum + 1 != 0 || gguf_kv_count(model) == 0);
}

#endif
