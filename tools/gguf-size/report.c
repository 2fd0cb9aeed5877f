/* The answer for a person: verdict, table, bars, speed, commands. */
#include "tools/gguf-size/size.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tools/common/chart.h"

#define BAR_WIDTH 48

/* ---- Commands ------------------------------------------------------------------------- */

/* A command line that grows; what does not fit is left out at the end. */
struct line {
    char *text;
    size_t size, used;
};

static void put(struct line *l, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

static void put(struct line *l, const char *format, ...)
{
    va_list args;
    if (l->used >= l->size)
        return;
    va_start(args, format);
    int n = vsnprintf(l->text + l->used, l->size - l->used, format, args);
    va_end(args);
    l->used += n > 0 ? (size_t)n : 0;
}

static const char *lower_type(uint32_t type, char out[16])
{
    const char *name = gguf_type_find(type)->name;
    size_t i = 0;
    for (; i < 15 && name[i]; i++)
        out[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
    out[i] = '\0';
    return out;
}

/* For the shell, in single quotes where it needs them. */
static void put_word(struct line *l, const char *word)
{
    static const char *const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789._/+-:";
    if (*word && word[strspn(word, plain)] == '\0') {
        put(l, "%s", word);
        return;
    }
    put(l, "'");
    for (; *word; word++)
        put(l, *word == '\'' ? "'\\''" : "%c", *word);
    put(l, "'");
}

static void put_split(struct line *l, const struct request *r)
{
    for (size_t i = 0; i < r->n_split; i++)
        put(l, "%s%g", i ? "," : " -ts ", r->split[i]);
}

void plan_command(char *out, size_t size, const struct situation *s, const struct plan *plan)
{
    const struct request *r = s->request;
    struct line l = {out, size, 0};
    char k[16], v[16];
    bool several = plan->run.sequences > 1;
    put(&l, "%s -m ", several ? "llama-server" : "llama-cli");
    put_word(&l, r->input ? r->input : "model.gguf");
    if (r->projector) {
        put(&l, " --mmproj ");
        put_word(&l, r->projector);
    }
    put(&l, " -ngl %u -c %llu", plan->gpu_layers, (unsigned long long)plan->run.context);
    if (several)
        put(&l, " -np %u", plan->run.sequences);
    if (plan->run.type_k != GGUF_F16 || plan->run.type_v != GGUF_F16)
        put(&l, " -ctk %s -ctv %s", lower_type(plan->run.type_k, k),
            lower_type(plan->run.type_v, v));
    if (r->flash != FLASH_AUTO)
        put(&l, " -fa %s", r->flash == FLASH_ON ? "on" : "off");
    if (plan->run.batch != 512)
        put(&l, " -ub %u", plan->run.batch);
    put_split(&l, r);
    if (r->cpu_moe)
        put(&l, " --cpu-moe");
    if (plan->run.full_window)
        put(&l, " --swa-full");
    if (r->no_mmap)
        put(&l, " --no-mmap");
}

/* ---- Parts ---------------------------------------------------------------------------- */

static void warn_of_context(const struct situation *s, const struct plan *plan)
{
    uint64_t each = plan->run.context / plan->run.sequences, trained = s->subject->h.context;
    if (trained && each > trained)
        cli_warning("a context of %llu tokens is more than the %llu that the model was trained "
                    "for",
                    (unsigned long long)each, (unsigned long long)trained);
}

static void print_model(const struct situation *s)
{
    const struct subject *m = s->subject;
    printf("%s: ", m->name);
    term_print_str(stdout, m->h.architecture, 40);
    printf(", %s parameters", term_count(s->weights->elements).text);
    if (s->request->mix)
        printf(", as %s", s->request->mix->name);
    printf(", weights %s\n", term_bytes_exact(s->weights->total).text);
    if (!plan_knows(m))
        printf("The architecture is not known here: the weights are exact, the rest is a "
               "range.\n");
}

static uint64_t least_free(const struct plan *plan)
{
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < plan->n_devices; i++) {
        int64_t left = plan_free(&plan->devices[i]);
        bool used = i + 1 == plan->n_devices ? plan->gpu_layers == 0 : plan->gpu_layers > 0;
        if (used && left >= 0 && (uint64_t)left < least)
            least = (uint64_t)left;
    }
    return least == UINT64_MAX ? 0 : least;
}

static void print_verdict(const struct situation *s, const struct plan *plan)
{
    char verdict[96];
    plan_verdict(verdict, sizeof verdict, plan, s->subject);
    if (plan->verdict == VERDICT_NO)
        printf("It %s: %s more %s needed for a context of %s.\n", verdict,
               term_bytes(plan->short_bytes).text, plan->gpu_layers ? "memory is" : "RAM is",
               term_grouped(plan->run.context).text);
    else
        printf("It %s with a context of %s; %s left.\n", verdict,
               term_grouped(plan->run.context).text, term_bytes(least_free(plan)).text);
}

static void cell_bytes(struct table *t, uint64_t bytes)
{
    table_cell(t, bytes ? term_bytes(bytes).text : "-");
}

static void cell_signed(struct table *t, int64_t bytes)
{
    table_cellf(t, "%s%s", bytes < 0 ? "-" : "",
                term_bytes((uint64_t)(bytes < 0 ? -bytes : bytes)).text);
}

static void print_devices(const struct plan *plan)
{
    struct table *t = table_new("lrrrrrrrrrr");
    table_cell(t, "");
    for (size_t i = 0; i < PLAN_PARTS; i++)
        table_cell(t, plan_part_names[i]);
    table_cell(t, "sum");
    table_cell(t, "range");
    table_cell(t, "there is");
    table_cell(t, "left");
    for (size_t i = 0; i < plan->n_devices; i++) {
        const struct plan_device *d = &plan->devices[i];
        uint64_t parts[PLAN_PARTS];
        if (!plan_uses(plan, i))
            continue;
        plan_parts(d, parts);
        table_cell(t, d->device->hardware.name);
        for (size_t p = 0; p < PLAN_PARTS; p++)
            cell_bytes(t, parts[p]);
        cell_bytes(t, d->expected);
        table_cellf(t, "%.24s to %.24s", term_bytes(d->low).text, term_bytes(d->high).text);
        cell_bytes(t, d->capacity);
        cell_signed(t, plan_free(d));
    }
    printf("\n");
    table_print(t, stdout, 0, true);
    table_free(t);
}

static size_t widest_name(const struct plan *plan)
{
    size_t widest = 0;
    for (size_t i = 0; i < plan->n_devices; i++) {
        size_t n = strlen(plan->devices[i].device->hardware.name);
        widest = plan_uses(plan, i) && n > widest ? n : widest;
    }
    return widest;
}

static void print_bars(const struct plan *plan, bool color)
{
    char bar[BAR_WIDTH * 24], shade[32];
    int width = (int)widest_name(plan);
    printf("\n");
    for (size_t i = 0; i < plan->n_devices; i++) {
        const struct plan_device *d = &plan->devices[i];
        uint64_t bytes[PLAN_PARTS];
        double parts[PLAN_PARTS];
        if (!plan_uses(plan, i))
            continue;
        plan_parts(d, bytes);
        for (size_t p = 0; p < PLAN_PARTS; p++)
            parts[p] = (double)bytes[p];
        double total = (double)(d->expected > d->capacity ? d->expected : d->capacity);
        const struct chart_bar shares = {parts, PLAN_PARTS, total, BAR_WIDTH, color};
        chart_bar(bar, sizeof bar, &shares);
        printf("%-*s %s %3.0f %%\n", width, d->device->hardware.name, bar,
               d->capacity ? 100.0 * (double)d->expected / (double)d->capacity : 100.0);
    }
    printf("%*s", width, "");
    for (size_t p = 0; p < PLAN_PARTS; p++) {
        chart_shade(shade, sizeof shade, p, color);
        printf(" %s %s", shade, plan_part_names[p]);
    }
    printf(" · free\n");
}

/* ---- Layers (-v) ---------------------------------------------------------------------- */

static const char *layer_kind(const struct model_hparams *h, uint32_t layer)
{
    const struct model_layer_hparams *l = &h->layer[layer];
    if (h->layers - layer <= h->nextn_layers)
        return "predicts further tokens";
    if (l->recurrent)
        return l->own_cache ? "attention and state" : "state";
    if (!l->own_cache)
        return l->kv_heads ? "shares a cache" : "feed-forward";
    if (h->kv_lora_rank)
        return "latent attention";
    return l->sliding ? "attention, window" : "attention";
}

static void print_layers(const struct situation *s, const struct plan *plan)
{
    static const char *const heading[] = {"layer", "kind", "weights", "KV cache", "state"};
    const struct model_hparams *h = &s->subject->h;
    struct table *t = table_new("rlrrr");
    for (size_t i = 0; i < sizeof heading / sizeof heading[0]; i++)
        table_cell(t, heading[i]);
    for (uint32_t i = 0; i < h->layers; i++) {
        table_cellf(t, "%u", i);
        table_cell(t, layer_kind(h, i));
        cell_bytes(t, s->weights->layer[i].bytes);
        cell_bytes(t, model_memory_kv(h, &plan->run, i));
        cell_bytes(t, model_memory_recurrent(h, &plan->run, i));
    }
    printf("\n");
    table_print(t, stdout, 0, true);
    table_free(t);
    printf("Engine %s: %s.\n", plan->run.engine->name, plan->run.engine->summary);
}

/* ---- Speed and commands ----------------------------------------------------------------- */

/* Three digits: 4.64, 46.4, 464, 4640. */
static void put_speed(struct line *l, double value)
{
    put(l, "%.*f", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value);
}

struct term_text speed_text(struct speed_range r)
{
    struct term_text t = {""};
    struct line l = {t.text, sizeof t.text, 0};
    put(&l, "about ");
    put_speed(&l, r.expected);
    put(&l, " tokens/s (");
    put_speed(&l, r.low);
    put(&l, " to ");
    put_speed(&l, r.high);
    put(&l, ")");
    return t;
}

static void print_speed(const char *what, struct speed_range r)
{
    if (r.expected > 0)
        printf("%-22s %s\n", what, speed_text(r).text);
}

static void print_mapped(const struct situation *s, const struct plan *plan)
{
    uint64_t bytes = plan_reclaimable(s, plan, plan->n_devices - 1);
    if (bytes > 256 * MIB)
        printf(
            "%-22s %s of the weights in RAM are pages of the file, which the system can take "
            "back\n",
            "", term_bytes(bytes).text);
}

/* What else could be tried, where not everything is on the GPU. */
static void print_hint(const struct situation *s, const char *what, const struct request *own)
{
    struct situation other = *s;
    struct plan plan;
    char verdict[96];
    other.request = own;
    plan_make(&plan, &other);
    plan_verdict(verdict, sizeof verdict, &plan, s->subject);
    if (plan.verdict != VERDICT_NO)
        printf("%-22s it %s, %s\n", what, verdict, speed_text(plan.generate).text);
}

static void print_hints(const struct situation *s, const struct plan *plan)
{
    const struct request *r = s->request;
    struct request quantized = *r, moved = *r;
    if (plan->verdict == VERDICT_GPU || (plan->verdict == VERDICT_RAM && !s->machine->n_gpus))
        return;
    quantized.run.type_k = quantized.run.type_v = GGUF_Q8_0;
    quantized.run.flash_attention = true;
    moved.cpu_moe = true;
    if (r->run.type_k == GGUF_F16)
        print_hint(s, "With --kv-type q8_0", &quantized);
    if (s->weights->active_share < 1 && !r->cpu_moe && s->machine->n_gpus)
        print_hint(s, "With --cpu-moe", &moved);
}

static void print_answers(const struct situation *s, const struct plan *plan)
{
    printf("\n");
    if (plan->max_context)
        printf("%-22s %s tokens%s\n", "Largest context", term_grouped(plan->max_context).text,
               s->subject->h.context && plan->max_context >= s->subject->h.context
                   ? ", what the model was trained for"
                   : "");
    else
        printf("%-22s none\n", "Largest context");
    print_speed("Generation", plan->generate);
    print_speed("  with a full context", plan->generate_full);
    print_speed("Prompt", plan->prompt);
    if (s->machine->bandwidth_source && plan->devices[plan->n_devices - 1].active)
        printf("%-22s %.0f GB/s, %s\n", "Bandwidth of the RAM",
               s->machine->cpu.hardware.speed.bandwidth / 1e9, s->machine->bandwidth_source);
    print_mapped(s, plan);
    if (plan->gpu_layers == 0 && s->machine->n_gpus)
        printf("%-22s the engine still takes 265 to 888 MB of the GPU, for prompts\n", "");
    print_hints(s, plan);
}

void plan_modelfile(char *out, size_t size, const struct situation *s, const struct plan *plan,
                    const char *separator)
{
    const char *input = s->request->input ? s->request->input : "model.gguf";
    bool elsewhere = input[0] == '/' || s->subject->remote;
    snprintf(out, size, "FROM %s%s%sPARAMETER num_ctx %llu%sPARAMETER num_gpu %u",
             elsewhere ? "" : "./", input, separator, (unsigned long long)plan->run.context,
             separator, plan->gpu_layers);
}

static void print_commands(const struct situation *s, const struct plan *plan)
{
    char text[4096];
    if (plan->verdict == VERDICT_NO)
        return;
    plan_command(text, sizeof text, s, plan);
    printf("\n%s\n", text);
    plan_modelfile(text, sizeof text, s, plan, " / ");
    printf("Ollama Modelfile:  %s\n", text);
}

/* ---- Quantizations ------------------------------------------------------------------ */

static void quant_cells(struct table *t, const struct quant_row *row,
                        const struct subject *subject)
{
    char verdict[96];
    double speed = row->plan.generate.expected;
    table_cellf(t, "%s%s", row->mix->name, row->recommended ? " *" : "");
    table_cellf(t, "%.2f", row->bits);
    table_cell(t, term_bytes(row->file_bytes).text);
    table_cell(t, term_bytes(row->total_bytes).text);
    table_cellf(t, "%.*f", speed < 9.95 ? 1 : 0, speed);
    if (row->quality) {
        table_cellf(t, "%.4f", row->quality->divergence);
        table_cellf(t, "+%.1f %%", row->quality->perplexity * 100);
    } else {
        table_cell(t, "?");
        table_cell(t, "?");
    }
    plan_verdict(verdict, sizeof verdict, &row->plan, subject);
    table_cell(t, verdict);
}

static void print_quants(const struct situation *s, const struct quant_table *quants)
{
    static const char *const heading[] = {"type",     "bits", "file", "memory",
                                          "tokens/s", "KLD",  "PPL",  "verdict"};
    struct table *t = table_new("lrrrrrrl");
    for (size_t i = 0; i < sizeof heading / sizeof heading[0]; i++)
        table_cell(t, heading[i]);
    for (size_t i = 0; i < quants->n; i++)
        quant_cells(t, &quants->rows[i], s->subject);
    printf("\n");
    table_print(t, stdout, 0, true);
    table_free(t);
    printf("%s%s.\n",
           quants->best ? "* recommended: " : "None is recommended: ", quants->reason);
    printf(
        "File sizes are exact. KLD and PPL are typical (Llama 3 8B against F16), not measured "
        "on this model;\nlarger models lose less.\n");
}

void report_text(const struct situation *s, const struct plan *plan,
                 const struct quant_table *quants, const struct cli *cli)
{
    bool color = term_color(stdout, cli->no_color);
    warn_of_context(s, plan);
    print_model(s);
    print_verdict(s, plan);
    print_devices(plan);
    print_bars(plan, color);
    if (cli->verbosity > 0)
        print_layers(s, plan);
    print_answers(s, plan);
    print_commands(s, plan);
    if (quants)
        print_quants(s, quants);
}
