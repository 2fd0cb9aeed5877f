/* The table of devices, and finding the one that is meant: see hardware.h. */
#include "tools/common/hardware.h"

#include "tools/common/cli.h"
#include "tools/common/json.h"
#include "tools/common/term.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* data/hardware.csv, line by line; NULL ends. Made by the Makefile. */
extern const char *const hardware_csv[];

static const struct {
    const char *name;
    enum device_kind kind;
} kinds_of[] = {{"cpu", DEVICE_CPU},
                {"cuda", DEVICE_CUDA},
                {"hip", DEVICE_HIP},
                {"metal", DEVICE_METAL},
                {"other", DEVICE_OTHER}};
static const struct {
    const char *name;
    enum calibration calibration;
    double spread; /* covers four fifths of published speeds: docs/accuracy.md */
} bases[] = {{"class", CALIBRATION_CLASS, 0.35},
             {"measured", CALIBRATION_MEASURED, 0.25},
             {"fit", CALIBRATION_FIT, 0.20}};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- Reading the table ---------------------------------------------------------------- */

enum { FIELDS = 8, LINE_MAX_BYTES = 512 };

/* The place of a row, for messages. */
struct place {
    const char *path;
    unsigned line;
};

static CLI_NORETURN void bad_row(const struct place *place, const char *field,
                                 const char *expected, const char *found)
{
    cli_die("%s: line %u: %s: expected %s, found \"%s\"", place->path, place->line, field,
            expected, found);
}

static double number(const struct place *place, const char *field, const char *text,
                     double most)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value) || value <= 0 || value > most) {
        char expected[64];
        snprintf(expected, sizeof expected, "a number above 0 up to %g", most);
        bad_row(place, field, expected, text);
    }
    return value;
}

static enum device_kind kind_of(const struct place *place, const char *text)
{
    for (size_t i = 0; i < COUNT(kinds_of); i++) {
        if (strcasecmp(text, kinds_of[i].name) == 0)
            return kinds_of[i].kind;
    }
    bad_row(place, "kind", "cpu, cuda, hip, metal or other", text);
}

static void set_basis(struct hardware *row, const struct place *place, const char *text)
{
    for (size_t i = 0; i < COUNT(bases); i++) {
        if (strcasecmp(text, bases[i].name) == 0) {
            row->calibration = bases[i].calibration;
            row->speed.spread = bases[i].spread;
            return;
        }
    }
    bad_row(place, "basis", "class, measured or fit", text);
}

/* Cuts a line at its commas; the number of fields. */
static size_t split_fields(char *line, char *fields[FIELDS])
{
    size_t n = 0;
    for (char *p = line; p; n++) {
        char *comma = strchr(p, ',');
        if (comma)
            *comma = '\0';
        if (n < FIELDS)
            fields[n] = p;
        p = comma ? comma + 1 : NULL;
    }
    return n;
}

static struct hardware parse_row(char *line, const struct place *place)
{
    struct hardware row = {0};
    char *f[FIELDS];
    if (split_fields(line, f) != FIELDS)
        bad_row(place, "row", "8 fields: name, kind, memory, ... basis", line);
    if (!*f[0] || strlen(f[0]) >= sizeof row.name)
        bad_row(place, "name", "1 to 63 characters", f[0]);
    snprintf(row.name, sizeof row.name, "%s", f[0]);
    row.kind = kind_of(place, f[1]);
    if (*f[2])
        row.memory = (uint64_t)(number(place, "memory_GiB", f[2], 1e6) * (double)GIB);
    row.speed.bandwidth = 1e9 * number(place, "bandwidth_GBs", f[3], 1e6);
    row.speed.efficiency = number(place, "efficiency", f[4], 1);
    row.speed.layer_seconds = 1e-6 * number(place, "layer_us", f[5], 1e6);
    row.speed.flops = 1e12 * number(place, "prompt_TFLOPS", f[6], 1e6);
    set_basis(&row, place, f[7]);
    return row;
}

static void add_row(struct hardware_table *t, const struct hardware *row)
{
    for (size_t i = 0; i < t->n; i++) {
        if (strcasecmp(t->rows[i].name, row->name) == 0)
            return;
    }
    t->rows = cli_grow(t->rows, t->n + 1, sizeof *t->rows);
    t->rows[t->n++] = *row;
}

/* Comments, blank lines and the heading hold no row. */
static void add_line(struct hardware_table *t, const char *text, const struct place *place)
{
    char line[LINE_MAX_BYTES];
    size_t size = strcspn(text, "\r\n");
    if (size >= sizeof line)
        bad_row(place, "row", "at most 511 bytes", "a longer one");
    memcpy(line, text, size);
    line[size] = '\0';
    if (!*line || *line == '#' || strncmp(line, "name,", 5) == 0)
        return;
    struct hardware row = parse_row(line, place);
    add_row(t, &row);
}

static void add_file(struct hardware_table *t, const char *path)
{
    char line[LINE_MAX_BYTES + 1];
    struct place place = {path, 0};
    FILE *f = fopen(path, "r");
    if (!f)
        cli_die("%s: cannot open: %s", path, strerror(errno));
    while (fgets(line, sizeof line, f)) {
        place.line++;
        add_line(t, line, &place);
    }
    bool failed = ferror(f) != 0;
    fclose(f);
    if (failed)
        cli_die("%s: cannot read: %s", path, strerror(errno));
}

void hardware_load(struct hardware_table *table, const char *path)
{
    struct place place = {"the built-in table", 0};
    *table = (struct hardware_table){0};
    if (path)
        add_file(table, path);
    for (size_t i = 0; hardware_csv[i]; i++) {
        place.line++;
        add_line(table, hardware_csv[i], &place);
    }
}

void hardware_free(struct hardware_table *table)
{
    free(table->rows);
    table->rows = NULL;
    table->n = 0;
}

/* ---- Names ---------------------------------------------------------------------------- */

enum { MAX_WORDS = 16, WORD_BYTES = 24 };

/* A name as words: letters and digits apart, lower case, without vendors; a memory size
 * ("16GB", "16 GiB") stands by itself. */
struct name {
    char word[MAX_WORDS][WORD_BYTES];
    size_t n;
    uint64_t memory; /* bytes; 0: none named */
};

static bool is_noise(const char *word)
{
    static const char *const noise[] = {"nvidia", "geforce", "amd",      "radeon",     "intel",
                                        "apple",  "tesla",   "graphics", "gpu",        "tm",
                                        "laptop", "r",       "quadro",   "corporation"};
    for (size_t i = 0; i < COUNT(noise); i++) {
        if (strcmp(word, noise[i]) == 0)
            return true;
    }
    return false;
}

/* The next run of letters or of digits. */
static const char *next_word(const char *p, char word[WORD_BYTES])
{
    size_t n = 0;
    while (*p && !isalnum((unsigned char)*p))
        p++;
    bool digits = isdigit((unsigned char)*p) != 0;
    while (isalnum((unsigned char)*p) && (isdigit((unsigned char)*p) != 0) == digits) {
        if (n + 1 < WORD_BYTES)
            word[n++] = (char)tolower((unsigned char)*p);
        p++;
    }
    word[n] = '\0';
    return p;
}

static struct name to_words(const char *text)
{
    struct name name = {.n = 0};
    char word[WORD_BYTES];
    for (const char *p = next_word(text, word); *word; p = next_word(p, word)) {
        bool unit = strcmp(word, "gb") == 0 || strcmp(word, "gib") == 0 ||
                    (strcmp(word, "g") == 0 && name.n > 0);
        if (unit && name.n > 0 && isdigit((unsigned char)name.word[name.n - 1][0]))
            name.memory = strtoull(name.word[--name.n], NULL, 10) % 100000 * GIB;
        else if (!is_noise(word) && name.n < MAX_WORDS)
            memcpy(name.word[name.n++], word, WORD_BYTES);
    }
    return name;
}

/* Words of `wanted` that the row lacks, and the other way round. */
static void compare(const struct name *wanted, const struct name *row, size_t *missing,
                    size_t *extra)
{
    size_t common = 0;
    for (size_t i = 0; i < wanted->n; i++) {
        for (size_t j = 0; j < row->n; j++) {
            if (strcmp(wanted->word[i], row->word[j]) == 0) {
                common++;
                break;
            }
        }
    }
    *missing = wanted->n - common;
    *extra = row->n > common ? row->n - common : 0;
}

/* Rows with all the words and the fewest others; among these, those with the memory. */
struct search {
    const struct hardware *found[8];
    size_t n;
    size_t extra;
    bool same_memory;
};

static void consider(struct search *s, const struct hardware *row, size_t extra, bool memory)
{
    bool better =
        s->n == 0 || extra < s->extra || (extra == s->extra && memory > s->same_memory);
    if (better) {
        s->n = 0;
        s->extra = extra;
        s->same_memory = memory;
    }
    if (extra == s->extra && memory == s->same_memory && s->n < COUNT(s->found))
        s->found[s->n++] = row;
}

static struct search search_table(const struct hardware_table *table, const struct name *wanted,
                                  unsigned kinds)
{
    struct search s = {.n = 0};
    for (size_t i = 0; i < table->n && wanted->n; i++) {
        const struct hardware *row = &table->rows[i];
        struct name name = to_words(row->name);
        size_t missing, extra;
        compare(wanted, &name, &missing, &extra);
        if (missing == 0 && (kinds & 1u << row->kind))
            consider(&s, row, extra, wanted->memory && wanted->memory == row->memory);
    }
    return s;
}

/* What the name says of the memory counts, where the device has its own. */
static struct hardware with_memory(const struct hardware *found, const struct name *wanted)
{
    struct hardware row = *found;
    if (wanted->memory && row.memory && row.memory != wanted->memory) {
        row.memory = wanted->memory;
        snprintf(row.name, sizeof row.name, "%.40s (%llu GB)", found->name,
                 (unsigned long long)(wanted->memory / GIB));
    }
    return row;
}

bool hardware_match(const struct hardware_table *table, const char *text, unsigned kinds,
                    struct hardware *row)
{
    struct name wanted = to_words(text);
    struct search s = search_table(table, &wanted, kinds);
    if (s.n == 1)
        *row = with_memory(s.found[0], &wanted);
    return s.n == 1;
}

static void list_names(char *out, size_t size, const struct hardware *const *rows, size_t n)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < n && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", rows[i]->name);
}

static size_t common_start(const char *a, const char *b)
{
    size_t n = 0;
    while (a[n] && a[n] == b[n])
        n++;
    return n;
}

/* Letters of `wanted` that no word of the row begins with. */
static size_t unlike(const struct name *wanted, const struct name *row, size_t *letters)
{
    size_t sum = 0;
    *letters = 0;
    for (size_t i = 0; i < wanted->n; i++) {
        size_t best = 0, length = strlen(wanted->word[i]);
        for (size_t j = 0; j < row->n; j++) {
            size_t n = common_start(wanted->word[i], row->word[j]);
            best = n > best ? n : best;
        }
        sum += length - best;
        *letters += length;
    }
    return sum;
}

#define NEAR 5

/* Puts a row among the nearest ones, which are in order; the number of them. */
static size_t insert_near(const struct hardware *near[NEAR], size_t score[NEAR], size_t n,
                          const struct hardware *row, size_t own)
{
    size_t at = n < NEAR ? n++ : NEAR - 1;
    if (n == NEAR && at == NEAR - 1 && near[at] && score[at] <= own)
        return n;
    for (; at > 0 && score[at - 1] > own; at--) {
        score[at] = score[at - 1];
        near[at] = near[at - 1];
    }
    score[at] = own;
    near[at] = row;
    return n;
}

/* The rows whose names are most like one that no row has; of the same likeness, those with
 * the fewest other words. */
static size_t near_rows(const struct hardware_table *table, const struct name *wanted,
                        unsigned kinds, const struct hardware *near[NEAR])
{
    size_t n = 0, score[NEAR] = {0};
    for (size_t i = 0; i < table->n; i++) {
        struct name name = to_words(table->rows[i].name);
        size_t letters, missing = unlike(wanted, &name, &letters);
        if (missing < letters && (kinds & 1u << table->rows[i].kind))
            n = insert_near(near, score, n, &table->rows[i], missing * 100 + name.n);
    }
    return n;
}

struct hardware hardware_find(const struct hardware_table *table, const char *text,
                              unsigned kinds)
{
    const char *option = kinds == KINDS_CPU ? "cpu-name" : "gpu";
    struct name wanted = to_words(text);
    struct search s = search_table(table, &wanted, kinds);
    char names[512];
    if (s.n == 1)
        return with_memory(s.found[0], &wanted);
    list_names(names, sizeof names, s.found, s.n);
    if (s.n > 1)
        cli_die("--%s: \"%s\" may be any of: %s", option, text, names);
    const struct hardware *near[NEAR] = {NULL};
    size_t n = near_rows(table, &wanted, kinds, near);
    list_names(names, sizeof names, near, n);
    if (n)
        cli_die("--%s: there is no device \"%s\"; near: %s; --devices lists all, --hardware "
                "adds more",
                option, text, names);
    cli_die("--%s: there is no device \"%s\"; --devices lists all, --hardware adds more",
            option, text);
}

/* ---- --devices ------------------------------------------------------------------------ */

static void print_row(struct table *t, const struct hardware *row)
{
    table_cell(t, row->name);
    table_cell(t, kinds_of[row->kind].name);
    if (row->memory)
        table_cellf(t, "%.0f", (double)row->memory / (double)GIB);
    else
        table_cell(t, "");
    table_cellf(t, "%.0f", row->speed.bandwidth / 1e9);
    table_cellf(t, "%.2f", row->speed.efficiency);
    table_cellf(t, "%.0f", row->speed.layer_seconds * 1e6);
    table_cellf(t, "%.1f", row->speed.flops / 1e12);
    table_cell(t, bases[row->calibration].name);
}

static void print_text(const struct hardware_table *table)
{
    static const char *const heading[FIELDS] = {"device",        "kind",       "memory GiB",
                                                "GB/s",          "efficiency", "µs/layer",
                                                "prompt TFLOPS", "basis"};
    struct table *t = table_new("llrrrrrl");
    for (size_t i = 0; i < FIELDS; i++)
        table_cell(t, heading[i]);
    for (size_t i = 0; i < table->n; i++)
        print_row(t, &table->rows[i]);
    table_print(t, stdout, 0, true);
    table_free(t);
}

void hardware_print(const struct hardware_table *table, bool json)
{
    if (!json) {
        print_text(table);
        return;
    }
    cJSON *root = json_array();
    for (size_t i = 0; i < table->n; i++) {
        const struct hardware *row = &table->rows[i];
        cJSON *item = json_add_object(root, NULL);
        json_text(item, "name", row->name);
        json_text(item, "kind", kinds_of[row->kind].name);
        json_u64(item, "memory_bytes", row->memory);
        json_f64(item, "bandwidth_bytes_per_second", row->speed.bandwidth);
        json_f64(item, "efficiency", row->speed.efficiency);
        json_f64(item, "layer_seconds", row->speed.layer_seconds);
        json_f64(item, "prompt_flops", row->speed.flops);
        json_text(item, "basis", bases[row->calibration].name);
    }
    json_print(root);
}
