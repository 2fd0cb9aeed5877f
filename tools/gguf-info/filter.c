/* --keys and --names: PCRE2 patterns over strings that may hold anything. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "tools/gguf-info/info.h"

#include <pcre2.h>
#include <stdlib.h>

struct filter {
    const char *option;
    pcre2_code *code;
    pcre2_match_data *match;
};

static void explain(int error, char *out, size_t size)
{
    PCRE2_UCHAR text[160];
    if (pcre2_get_error_message(error, text, sizeof text) < 0)
        text[0] = '\0';
    snprintf(out, size, "%s", (const char *)text);
}

struct filter *filter_new(const char *option, const char *pattern)
{
    int error;
    PCRE2_SIZE position;
    char reason[160];
    struct filter *f = cli_alloc(1, sizeof *f);
    f->option = option;
    f->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                            PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, &error, &position, NULL);
    if (!f->code) {
        explain(error, reason, sizeof reason);
        cli_die("--%s: \"%s\" is no regular expression: %s at character %zu", option, pattern,
                reason, (size_t)position + 1);
    }
    /* Without JIT support the interpreter does the same. */
    (void)pcre2_jit_compile(f->code, PCRE2_JIT_COMPLETE);
    f->match = pcre2_match_data_create_from_pattern(f->code, NULL);
    if (!f->match)
        cli_die_memory();
    return f;
}

void filter_free(struct filter *filter)
{
    if (!filter)
        return;
    pcre2_match_data_free(filter->match);
    pcre2_code_free(filter->code);
    free(filter);
}

bool filter_match(const struct filter *filter, struct gguf_str text)
{
    if (!filter)
        return true;
    int found =
        pcre2_match(filter->code, (PCRE2_SPTR)text.data, text.size, 0, 0, filter->match, NULL);
    if (found < 0 && found != PCRE2_ERROR_NOMATCH) {
        char reason[160];
        explain(found, reason, sizeof reason);
        cli_die("--%s: the match was given up: %s; use a simpler pattern", filter->option,
                reason);
    }
    return found >= 0;
}
