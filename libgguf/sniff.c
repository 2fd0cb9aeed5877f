/* What a file is that is no GGUF file: the answer that a person needs. */
#include "libgguf/internal.h"

#include <string.h>

#define HEAD 512

#define OLD_PYTORCH "a Python pickle, perhaps a PyTorch checkpoint; convert it to GGUF first"

/* Magic numbers at the start of other formats. */
static const struct {
    const char *magic;
    size_t size;
    const char *what;
} signatures[] = {
    {"version https://git-lfs", 23,
     "a Git LFS pointer, not the model; fetch the model with `git lfs pull`"},
    {"lmgg", 4,
     "in the old GGML format (magic \"ggml\"), which GGUF replaced; convert it again "
     "from the original model"},
    {"fmgg", 4,
     "in the old GGMF format, which GGUF replaced; convert it again from the original "
     "model"},
    {"tjgg", 4,
     "in the old GGJT format, which GGUF replaced; convert it again from the original "
     "model"},
    {"algg", 4, "a GGLA adapter, which GGUF replaced; convert it again from the original"},
    {"PK\003\004", 4, "a zip archive, perhaps a PyTorch checkpoint; convert it to GGUF first"},
    {"\037\213", 2, "compressed with gzip; unpack it first"},
    {"\x28\xb5\x2f\xfd", 4, "compressed with zstd; unpack it first"},
    {"\xfd"
     "7zXZ",
     5, "compressed with xz; unpack it first"},
    {"BZh", 3, "compressed with bzip2; unpack it first"},
    {"\177ELF", 4, "a program"},
    {"%PDF", 4, "a PDF document"},
    {"\x89HDF", 4, "an HDF5 file; convert it to GGUF first"},
    {"\x93NUMPY", 6, "a NumPy array; convert it to GGUF first"},
    {"\x80\x02", 2, OLD_PYTORCH},
    {"\x80\x04", 2, OLD_PYTORCH},
    {"7z\xbc\xaf", 4, "a 7-Zip archive; unpack it first"},
    {"Rar!", 4, "a RAR archive; unpack it first"},
    {"<?xml", 5,
     "an XML page, perhaps the error message of a failed download; look at it and download "
     "again"},
};

/* Case-insensitive search for an ASCII word in the head of a file. */
static bool contains(const unsigned char *head, size_t n, const char *word)
{
    size_t w = strlen(word);
    for (size_t i = 0; i + w <= n; i++) {
        size_t k = 0;
        while (k < w && (head[i + k] | 0x20) == (word[k] | 0x20))
            k++;
        if (k == w)
            return true;
    }
    return false;
}

static bool is_all_zero(const unsigned char *head, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (head[i])
            return false;
    }
    return true;
}

/* A safetensors file: a length of eight bytes, then JSON. */
static bool is_safetensors(const unsigned char *head, size_t n)
{
    return n > 9 && head[8] == '{' && head[7] == 0 && head[6] == 0 && head[5] == 0;
}

static bool is_text(const unsigned char *head, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool blank = head[i] == '\t' || head[i] == '\n' || head[i] == '\r';
        if (head[i] == 0x7f || (head[i] < 0x20 && !blank))
            return false;
    }
    return true;
}

static const char *recognise(const unsigned char *head, size_t n)
{
    for (size_t i = 0; i < sizeof signatures / sizeof signatures[0]; i++) {
        if (n >= signatures[i].size &&
            memcmp(head, signatures[i].magic, signatures[i].size) == 0)
            return signatures[i].what;
    }
    if (contains(head, n, "<!doctype html") || contains(head, n, "<html"))
        return "an HTML page saved under this name: the download link led to a web page "
               "(a login, an error or a preview); download the file itself";
    if (is_safetensors(head, n))
        return "a safetensors file; convert it to GGUF first";
    if (n > 0 && (head[0] == '{' || head[0] == '['))
        return "JSON text, perhaps the error message of a failed download; look at it and "
               "download again";
    if (contains(head, n < 5 ? n : 5, "gguf"))
        return "no GGUF file: the magic must be \"GGUF\" in capital letters";
    if (is_text(head, n))
        return "text, and does not begin with the magic \"GGUF\": perhaps the error message of "
               "a failed download; look at it and download again";
    return "no GGUF file: it does not begin with the magic \"GGUF\"";
}

enum gguf_status gguf_fail_not_gguf(const struct gguf_source *source, struct gguf_error *err)
{
    unsigned char head[HEAD];
    size_t n = source->size < HEAD ? (size_t)source->size : HEAD;
    if (n == 0)
        return gguf_fail(err, GGUF_ERR_NOT_GGUF, 0, "%s: the file is empty; download it again",
                         source->name);
    enum gguf_status status = gguf_source_read(source, 0, head, n, err);
    if (status)
        return status;
    if (is_all_zero(head, n))
        return gguf_fail(err, GGUF_ERR_NOT_GGUF, 0,
                         "%s: the header is all zeros: a download or a program was interrupted "
                         "before it wrote it; make or download the file again",
                         source->name);
    if (n < 4 && memcmp(head, "GGUF", n) == 0)
        return gguf_fail(err, GGUF_ERR_TRUNCATED, n,
                         "%s: the file ends after %zu bytes, inside the magic; download it "
                         "again",
                         source->name, n);
    return gguf_fail(err, GGUF_ERR_NOT_GGUF, 0, "%s: is %s", source->name, recognise(head, n));
}
