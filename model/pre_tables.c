/*
 * How each pre-tokenizer cuts a text into words: Perl-compatible patterns over Unicode, as
 * the tokenizer.json files of the models give them. The names are those that converters
 * write into tokenizer.ggml.pre.
 */
#include "model/vocab.h"

#include <string.h>

/* ---- Parts ---------------------------------------------------------------------- */

#define CONTRACTION     "'s|'t|'re|'ve|'m|'ll|'d"
#define CONTRACTION_ANY "'(?:[sS]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])"
#define WORD            "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define OTHERS          " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
#define OTHERS_SLASH    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*"
#define LINES           "\\s*[\\r\\n]+"
#define SPACES          "\\s+(?!\\S)|\\s+"

/* A word by case: capitals and then small letters, either part of any length. */
#define UPPER     "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER     "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define NO_LETTER "[^\\r\\n\\p{L}\\p{N}]?"

#define GPT2 (CONTRACTION "| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)")

/* Letters that have case, of the scripts that DeepSeek lists. */
#define CASED_LETTERS                                                                          \
    "A-Za-z\\x{b5}\\x{c0}-\\x{d6}\\x{d8}-\\x{f6}\\x{f8}-\\x{1ba}\\x{1bc}-\\x{1bf}"             \
    "\\x{1c4}-\\x{293}\\x{295}-\\x{2af}\\x{370}-\\x{373}\\x{376}\\x{377}\\x{37b}-"             \
    "\\x{37d}\\x{37f}\\x{386}\\x{388}-\\x{38a}\\x{38c}\\x{38e}-\\x{3a1}\\x{3a3}-"              \
    "\\x{3f5}\\x{3f7}-\\x{481}\\x{48a}-\\x{52f}\\x{531}-\\x{556}\\x{10a0}-\\x{10c5}"           \
    "\\x{13a0}-\\x{13f5}\\x{13f8}-\\x{13fd}\\x{1c90}-\\x{1cba}\\x{1cbd}-\\x{1cbf}"             \
    "\\x{1d00}-\\x{1d2b}\\x{1d6b}-\\x{1d77}\\x{1d79}-\\x{1d9a}\\x{1e00}-\\x{1f15}"             \
    "\\x{1f18}-\\x{1f1d}\\x{1f20}-\\x{1f45}\\x{1f48}-\\x{1f4d}\\x{1f50}-\\x{1f57}"             \
    "\\x{1f59}\\x{1f5b}\\x{1f5d}\\x{1f5f}-\\x{1f7d}\\x{1f80}-\\x{1fb4}\\x{1fb6}-"              \
    "\\x{1fbc}\\x{1fbe}\\x{1fc2}-\\x{1fc4}\\x{1fc6}-\\x{1fcc}\\x{1fd0}-\\x{1fd3}"              \
    "\\x{1fd6}-\\x{1fdb}\\x{1fe0}-\\x{1fec}\\x{1ff2}-\\x{1ff4}\\x{1ff6}-\\x{1ffc}"             \
    "\\x{2102}\\x{2107}\\x{210a}-\\x{2113}\\x{2115}\\x{2119}-\\x{211d}\\x{2124}"               \
    "\\x{2126}\\x{2128}\\x{212a}-\\x{212d}\\x{212f}-\\x{2134}\\x{2139}\\x{213c}-"              \
    "\\x{213f}\\x{2145}-\\x{2149}\\x{214e}\\x{2183}\\x{2184}\\x{2c00}-\\x{2c7b}"               \
    "\\x{2c7e}-\\x{2ce4}\\x{2ceb}-\\x{2cee}\\x{2cf2}\\x{2cf3}\\x{a640}-\\x{a66d}"              \
    "\\x{a680}-\\x{a69b}\\x{a722}-\\x{a76f}\\x{a771}-\\x{a787}\\x{a78b}-\\x{a78e}"             \
    "\\x{ab70}-\\x{abbf}\\x{fb00}-\\x{fb06}\\x{fb13}-\\x{fb17}\\x{ff21}-\\x{ff3a}"             \
    "\\x{ff41}-\\x{ff5a}\\x{10400}-\\x{1044f}\\x{104b0}-\\x{104d3}\\x{104d8}-"                 \
    "\\x{104fb}\\x{10c80}-\\x{10cb2}\\x{10cc0}-\\x{10cf2}\\x{118a0}-\\x{118df}"                \
    "\\x{1e900}-\\x{1e943}"

/* ---- Patterns ------------------------------------------------------------------- */

static const char *const gpt2[] = {GPT2, NULL};
static const char *const gpt2_digits[] = {"\\p{N}", GPT2, NULL};
static const char *const llama3[] = {
    CONTRACTION_ANY "|" WORD "|\\p{N}{1,3}|" OTHERS "|" LINES "|" SPACES, NULL};
static const char *const qwen2[] = {
    CONTRACTION_ANY "|" WORD "|\\p{N}|" OTHERS "|" LINES "|" SPACES, NULL};
static const char *const qwen35[] = {CONTRACTION_ANY
                                     "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}"
                                     "| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" LINES "|" SPACES,
                                     NULL};
static const char *const unknown[] = {"[\\p{P}$+<=>^~|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]",
                                      NULL};
static const char *const falcon[] = {"[\\p{P}$+<=>^~|`]+", GPT2, "[0-9][0-9][0-9]", NULL};
/* The look-behind keeps a run of white space from being tried from each of its places. */
static const char *const deepseek_llm[] = {
    "[\\r\\n]",
    "\\s?[" CASED_LETTERS "]+",
    "\\s?[!-/:-~\\x{ff01}-\\x{ff0f}\\x{ff1a}-\\x{ff5e}\\x{2018}-\\x{201f}\\x{3000}-\\x{3002}]+",
    "(?<!\\s)\\s++$",
    "[\\x{800}-\\x{9fa5}\\x{ac00}-\\x{d7ff}]+",
    "\\p{N}+",
    NULL};
static const char *const deepseek_coder[] = {
    "[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", "[\\x{800}-\\x{9fa5}\\x{ac00}-\\x{d7ff}]+",
    "\\p{N}",   NULL};
static const char *const deepseek_v3[] = {
    "\\p{N}{1,3}", "[\\x{4e00}-\\x{9fa5}\\x{3040}-\\x{30ff}]+",
    "[!-/:-@\\[-`{-~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
    "| ?[\\p{P}\\p{S}]+[\\r\\n]*|" LINES "|" SPACES,
    NULL};
static const char *const tekken[] = {NO_LETTER UPPER "*" LOWER "+|" NO_LETTER UPPER "+" LOWER
                                                     "*|\\p{N}|" OTHERS_SLASH "|" LINES
                                                     "|" SPACES,
                                     NULL};
#define BY_CASE                                                                                \
    NO_LETTER UPPER "*" LOWER "+(?:" CONTRACTION_ANY ")?|" NO_LETTER UPPER "+" LOWER           \
                    "*(?:" CONTRACTION_ANY ")?"
static const char *const gpt4o[] = {BY_CASE "|\\p{N}{1,3}|" OTHERS_SLASH "|" LINES "|" SPACES,
                                    NULL};
static const char *const youtu[] = {
    "[\\x{ac00}-\\x{d7a3}\\x{3131}-\\x{318e}]+"
    "|[\\x{ff01}\\x{2026}\\x{201c}\\x{201d}\\x{2018}\\x{2019}\\x{2014}\\x{ff1a}\\x{ff1b}\\x{"
    "ff0c}"
    "\\x{3001}-\\x{303f}\\x{fe30}-\\x{fe4f}]+"
    "|[\\x{3105}-\\x{312f}]+|[\\x{4e00}-\\x{9fa5}\\x{3040}-\\x{30ff}]+",
    BY_CASE "|\\p{N}|" OTHERS_SLASH "|" LINES "|" SPACES, NULL};
#define NO_STOPS " ?[^(\\s|.,!?\\x{2026}\\x{3002}\\x{ff0c}\\x{3001}\\x{964}\\x{6d4}\\x{60c})]+"
static const char *const bloom[] = {NO_STOPS, NULL};
static const char *const viking[] = {NO_STOPS, "\\p{N}", NULL};
static const char *const chameleon[] = {"<sentinel:[0-9]+>",
                                        "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z",
                                        "([\\t\\n]|    |  )",
                                        "\\p{N}",
                                        "[\\p{P}!-/:-@\\[-`{-~]",
                                        GPT2,
                                        NULL};
static const char *const bailing[] = {
    CONTRACTION_ANY "|" WORD "|\\p{N}|" OTHERS "|\\s*[\\r\\n]|" SPACES, NULL};
static const char *const seed_coder[] = {
    CONTRACTION_ANY "|" WORD "|\\p{N}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|" LINES "|" SPACES, NULL};
static const char *const jais2[] = {
    CONTRACTION_ANY "|" WORD "|\\p{N}{1,3}|" OTHERS "|" LINES
                    "|\\s{512}(?!\\S)|\\s{256}(?!\\S)|\\s{128}(?!\\S)|\\s{64}(?!\\S)"
                    "|\\s{32}(?!\\S)|\\s{16}(?!\\S)|\\s{8}(?!\\S)|\\s{4}(?!\\S)"
                    "|\\s{1,2}(?!\\S)|\\s{1}",
    NULL};
static const char *const exaone_moe[] = {
    CONTRACTION_ANY "|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*+(?: \\p{L}\\p{M}*+)*+)++|\\p{N}"
                    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?|\\s*[\\r\\n]|" SPACES,
    NULL};
static const char *const minicpm5[] = {
    "\\p{N}{1,3}", CONTRACTION_ANY "|" WORD "|\\p{N}+|" OTHERS "|" LINES "|" SPACES, NULL};
static const char *const ufakzeka[] = {WORD "|\\p{N}|" OTHERS "|" LINES "|" SPACES, NULL};
static const char *const laguna[] = {
    "[^\\n]+|[\\n]+", CONTRACTION_ANY "|" WORD "|\\p{N}|" OTHERS "|" LINES "|" SPACES, NULL};
#define NO_HAN "(?!\\p{Han})"
static const char *const kimi[] = {
    "\\p{Han}+|" NO_LETTER "(?:" NO_HAN UPPER ")*(?:" NO_HAN LOWER ")+(?:" CONTRACTION_ANY
    ")?|" NO_LETTER "(?:" NO_HAN UPPER ")+(?:" NO_HAN LOWER ")*(?:" CONTRACTION_ANY
    ")?|\\p{N}{1,3}|" OTHERS "|" LINES "|" SPACES,
    NULL};

/* ---- Names ---------------------------------------------------------------------- */

static const struct pre_tokenizer rows[] = {
    {"default", unknown, false, false},
    {"llama3", llama3, true, true},
    {"llama-v3", llama3, true, true},
    {"llama-bpe", llama3, true, true},
    {"falcon3", llama3, true, true},
    {"falcon-h1", llama3, true, true},
    {"pixtral", llama3, true, true},
    {"midm-2.0", llama3, true, true},
    {"lfm2", llama3, true, true},
    {"jina-v5-nano", llama3, true, true},
    {"dbrx", llama3, false, false},
    {"smaug-bpe", llama3, false, false},
    {"glm4", llama3, false, false},
    {"chatglm-bpe", llama3, false, false},
    {"deepseek-llm", deepseek_llm, false, false},
    {"deepseek-coder", deepseek_coder, false, false},
    {"deepseek-v3", deepseek_v3, false, false},
    {"hunyuan-dense", deepseek_v3, false, false},
    {"joyai-llm", deepseek_v3, false, false},
    {"hy_v4", deepseek_v3, false, false},
    {"falcon", falcon, false, false},
    {"gpt-2", gpt2, false, false},
    {"gpt-neox", gpt2, false, false},
    {"phi-2", gpt2, false, false},
    {"mpt", gpt2, false, false},
    {"olmo", gpt2, false, false},
    {"jais", gpt2, false, false},
    {"trillion", gpt2, false, false},
    {"granite-docling", gpt2, false, false},
    {"jina-es", gpt2, false, false},
    {"jina-de", gpt2, false, false},
    {"jina-v2-es", gpt2, false, false},
    {"jina-v2-de", gpt2, false, false},
    {"jina-v1-en", gpt2, false, false},
    {"jina-v2-code", gpt2, false, false},
    {"roberta-bpe", gpt2, false, false},
    {"gigachat", gpt2, false, false},
    {"a.x-4.0", gpt2, false, false},
    {"mellum", gpt2, false, false},
    {"modern-bert", gpt2, false, false},
    {"exaone4", gpt2, false, false},
    {"starcoder", gpt2_digits, false, false},
    {"refact", gpt2_digits, false, false},
    {"command-r", gpt2_digits, false, false},
    {"smollm", gpt2_digits, false, false},
    {"codeshell", gpt2_digits, false, false},
    {"exaone", gpt2_digits, false, false},
    {"minerva-7b", gpt2_digits, false, false},
    {"mellum2", gpt2_digits, false, false},
    {"qwen2", qwen2, false, false},
    {"deepseek-r1-qwen", qwen2, false, false},
    {"kormo", qwen2, false, false},
    {"f2llmv2", qwen2, false, false},
    {"stablelm2", qwen2, false, false},
    {"hunyuan", qwen2, false, false},
    {"megrez", qwen2, false, false},
    {"solar-open", qwen2, false, false},
    {"grok-2", qwen2, false, false},
    {"qwen35", qwen35, false, false},
    {"tekken", tekken, true, true},
    {"gpt-4o", gpt4o, false, false},
    {"llama4", gpt4o, false, false},
    {"kanana2", gpt4o, false, false},
    {"talkie", gpt4o, false, false},
    {"minimax-m2", gpt4o, false, false},
    {"youtu", youtu, true, false},
    {"poro-chat", bloom, false, false},
    {"bloom", bloom, false, false},
    {"gpt3-finnish", bloom, false, false},
    {"viking", viking, false, false},
    {"chameleon", chameleon, false, true},
    {"bailingmoe", bailing, false, false},
    {"bailingmoe2", bailing, false, false},
    {"llada-moe", bailing, false, false},
    {"seed-coder", seed_coder, false, false},
    {"jais-2", jais2, false, false},
    {"exaone-moe", exaone_moe, false, false},
    {"minicpm5", minicpm5, true, false},
    {"ufakzeka", ufakzeka, false, false},
    {"laguna", laguna, false, false},
    {"kimi-k2", kimi, false, false},
};

const struct pre_tokenizer *pre_tokenizer_at(size_t index)
{
    return index < sizeof rows / sizeof rows[0] ? &rows[index] : NULL;
}

const struct pre_tokenizer *pre_tokenizer_find(struct gguf_str name)
{
    for (size_t i = 0; pre_tokenizer_at(i); i++) {
        if (gguf_str_equal(name, rows[i].name))
            return &rows[i];
    }
    return NULL;
}
