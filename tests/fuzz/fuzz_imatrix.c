/* Reading importance matrices of both forms. The library takes a path, so the bytes go
 * through a file. */
#include "tests/fuzz/fuzz.h"
#include "quant/quant.h"
#include "tests/unit/tiny_gguf.h"

#include <math.h>
#include <unistd.h>

static char path[64];

static void remove_file(void)
{
    unlink(path);
}

/* The file, in the working folder: made on the first call, removed at the end of the
 * program. */
static FILE *open_file(void)
{
    if (path[0] == 0) {
        snprintf(path, sizeof path, "fuzz_imatrix.%ld", (long)getpid());
        atexit(remove_file);
    }
    FILE *f = fopen(path, "wb");
    fuzz_assert(f != NULL);
    return f;
}

static void read_all(const struct quant_imatrix *imatrix)
{
    for (size_t i = 0; i < quant_imatrix_count(imatrix); i++) {
        const struct quant_importance *entry = quant_imatrix_at(imatrix, i);
        for (uint64_t j = 0; j < entry->columns * entry->experts; j++)
            fuzz_assert(isfinite(entry->weights[j]) && entry->weights[j] >= 0);
        fuzz_assert(quant_imatrix_find(imatrix, entry->name) != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FILE *f = open_file();
    fuzz_assert(fwrite(data, 1, size, f) == size);
    fclose(f);
    struct quant_imatrix *imatrix = NULL;
    enum gguf_status status = quant_imatrix_open(&imatrix, path, NULL);
    fuzz_assert((status == GGUF_OK) == (imatrix != NULL));
    if (imatrix)
        read_all(imatrix);
    quant_imatrix_close(imatrix);
    return 0;
}

static size_t gguf_form(uint8_t *out)
{
    static struct tiny t;
    const float sums[4] = {2, 4, 0, 8}, counts[1] = {2};
    memset(&t, 0, sizeof t);
    tiny_string(&t, "general.type", "imatrix");
    tiny_u32(&t, "imatrix.chunk_count", 1);
    tiny_u32(&t, "imatrix.chunk_size", 512);
    tiny_strings(&t, "imatrix.datasets", "calib.txt");
    tiny_tensor(&t, "a.weight.in_sum2", GGUF_F32, (const uint64_t[3]){4, 1, 1}, sums);
    tiny_tensor(&t, "a.weight.counts", GGUF_F32, (const uint64_t[3]){1, 1, 1}, counts);
    tiny_finish(&t);
    memcpy(out, t.file, t.file_size);
    return t.file_size;
}

/* One entry of four values, the number of chunks, the name of the text. */
static size_t legacy_form(uint8_t *out)
{
    static const uint8_t bytes[] = {
        1, 0, 0, 0, 2,    0,    0, 0, 'a', 'b', 2,    0,    0, 0, 4, 0, 0, 0, 0, 0, 0x80, 0x3f,
        0, 0, 0, 0, 0x80, 0x3f, 0, 0, 0,   0,   0x80, 0x40, 3, 0, 0, 0, 1, 0, 0, 0, 't'};
    memcpy(out, bytes, sizeof bytes);
    return sizeof bytes;
}

size_t fuzz_seed(size_t index, uint8_t *out)
{
    return index == 0 ? legacy_form(out) : index == 1 ? gguf_form(out) : 0;
}
