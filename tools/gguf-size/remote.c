/* Files that are elsewhere. */
#include "tools/gguf-size/size.h"

#include <string.h>

bool remote_is(const char *input)
{
    return strncmp(input, "https://", 8) == 0 || strncmp(input, "http://", 7) == 0 ||
           strncmp(input, "hf:", 3) == 0;
}

enum gguf_status remote_open(struct gguf **model, const char *input, uint64_t *file_bytes,
                             struct gguf_error *err)
{
    (void)input;
    (void)err;
    *model = NULL;
    *file_bytes = 0;
    cli_die("%s: built without libcurl, so that remote files cannot be read", input);
}
