/* The answer: what lies on which device, whether it fits, how fast it is. */
#include "tools/gguf-size/size.h"

#include <string.h>

#define DEFAULT_CONTEXT 8192
#define CONTEXT_STEP    256
#define SHORT_DEPTH     512  /* tokens in the context where speed is told for a short one */
#define PROMPT_TOKENS   1024 /* of the prompt whose speed is told */

/* ---- Networks that are known ------------------------------------------------------------ */

/* Beside those with a forward pass here: their KV cache and state follow from the keys. */
static const char *const known_networks[] = {
    "afmoe",         "apertus",      "arcee",       "arctic",         "arwkv7",
    "baichuan",      "bailingmoe",   "bailingmoe2", "bitnet",         "bloom",
    "chameleon",     "chatglm",      "codeshell",   "cogvlm",         "cohere2moe",
    "dbrx",          "deci",         "deepseek",    "dots1",          "dream",
    "ernie4_5",      "ernie4_5-moe", "exaone",      "exaone4",        "falcon-h1",
    "gemma3n",       "gemma4",       "glm4moe",     "gpt-oss",        "gptj",
    "granitehybrid", "granitemoe",   "grok",        "hunyuan-dense",  "hunyuan-moe",
    "internlm2",     "jais",         "jamba",       "kimi-linear",    "lfm2",
    "lfm2moe",       "llada",        "llama4",      "mamba",          "mamba2",
    "mellum",        "minicpm",      "minicpm3",    "minimax-m2",     "mistral3",
    "mpt",           "nemotron",     "nemotron_h",  "nemotron_h_moe", "olmo",
    "olmoe",         "openelm",      "orion",       "phimoe",         "plamo",
    "plamo2",        "plm",          "qwen",        "qwen2vl",        "qwen35",
    "qwen35moe",     "qwen3next",    "qwen3vl",     "qwen3vlmoe",     "refact",
    "rwkv6",         "rwkv6qwen2",   "rwkv7",       "seed_oss",       "smallthinker",
    "starcoder",     "xverse",
};

bool plan_knows(const struct subject *subject)
{
    if (subject->h.has_forward)
        return true;
    for (size_t i = 0; i < sizeof known_networks / sizeof known_networks[0]; i++) {
        if (gguf_str_equal(subject->h.architecture, known_networks[i]))
            return true;
    }
    return false;
}

/* ---- Placement ----------------------------------------------------------------------- */

/* A run under consideration. */
struct trial {
    const struct situation *s;
    struct plan *plan;
    uint32_t start; /* first layer on a GPU; the output counts as the layer after the last */
    uint32_t count; /* of layers there */
    double split[MAX_GPUS]; /* cumulative shares */
};

static struct plan_device *cpu_of(struct plan *plan)
{
    return &plan->devices[plan->n_devices - 1];
}

static size_t gpu_count(const struct plan *plan)
{
    return plan->n_devices - 1;
}

/* Shares by option, otherwise by free memory, as the engine does. */
static void make_split(struct trial *t)
{
    const struct request *r = t->s->request;
    double sum = 0;
    for (size_t i = 0; i < gpu_count(t->plan); i++) {
        sum += r->n_split ? (i < r->n_split ? r->split[i] : 0)
                          : (double)t->plan->devices[i].capacity;
        t->split[i] = sum;
    }
    for (size_t i = 0; i < gpu_count(t->plan) && sum > 0; i++)
        t->split[i] /= sum;
}

static void set_layers(struct trial *t, uint32_t gpu_layers)
{
    uint32_t layers = t->s->subject->h.layers;
    uint32_t all = layers + 1;
    uint32_t from = t->plan->run.engine->output_first ? all : layers;
    t->count = gpu_layers < all ? gpu_layers : all;
    t->start = from > t->count ? from - t->count : 0;
    t->plan->gpu_layers = t->count;
}

/* Index of the device of a layer: upper_bound(split, (layer - start) / count). */
static size_t device_of(const struct trial *t, uint32_t layer)
{
    size_t gpus = gpu_count(t->plan);
    if (layer < t->start || layer - t->start >= t->count || gpus == 0)
        return gpus;
    double at = (double)(layer - t->start) / t->count;
    for (size_t i = 0; i < gpus; i++) {
        if (t->split[i] > at)
            return i;
    }
    return gpus - 1;
}

/* Shares of the graph, gathered while layers are placed. */
struct shares {
    struct memory_share share[MAX_GPUS + 1];
    uint64_t largest_on_cpu; /* weight that may be brought to a GPU */
};

static void note_layer(struct shares *shares, size_t device, uint32_t layer)
{
    struct memory_share *share = &shares->share[device];
    if (share->first == share->last)
        share->first = layer;
    share->last = layer + 1;
}

static void add_weights(struct plan_device *d, uint64_t bytes, double active, double elements)
{
    d->weights = model_memory_sum(d->weights, bytes);
    d->active = model_memory_sum(d->active, (uint64_t)active);
    d->parameters += elements;
}

static uint64_t bigger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void place_layer(struct trial *t, struct shares *shares, uint32_t layer)
{
    const struct situation *s = t->s;
    const struct layer_weights *l = &s->weights->layer[layer];
    struct plan *plan = t->plan;
    size_t at = device_of(t, layer), cpu = gpu_count(plan);
    bool apart = s->request->cpu_moe && l->experts > 0;
    double share = s->weights->active_share;
    struct plan_device *d = &plan->devices[at];
    struct plan_device *e = apart ? &plan->devices[cpu] : d;
    add_weights(d, l->bytes - l->experts, (double)(l->bytes - l->experts),
                (double)(l->elements - l->expert_elements));
    add_weights(e, l->experts, (double)l->experts * share, (double)l->expert_elements * share);
    d->kv = model_memory_sum(d->kv, model_memory_kv(&s->subject->h, &plan->run, layer));
    d->recurrent = model_memory_sum(d->recurrent,
                                    model_memory_recurrent(&s->subject->h, &plan->run, layer));
    d->layers++;
    note_layer(shares, at, layer);
    if (at == cpu)
        shares->largest_on_cpu = bigger(shares->largest_on_cpu, l->largest);
    else if (apart)
        shares->largest_on_cpu = bigger(shares->largest_on_cpu, l->largest_expert);
}

/* The embeddings stay in RAM; without a GPU a tied output is the same tensor. */
static void place_ends(struct trial *t, struct shares *shares)
{
    const struct weights *w = t->s->weights;
    struct plan *plan = t->plan;
    size_t at = device_of(t, t->s->subject->h.layers), cpu = gpu_count(plan);
    struct plan_device *d = &plan->devices[at];
    uint64_t stored = at == cpu ? w->output - w->tied : w->output;
    add_weights(d, stored, (double)w->output, (double)w->output_elements);
    add_weights(cpu_of(plan), w->input, 0, 0);
    if (at == cpu)
        shares->largest_on_cpu = bigger(shares->largest_on_cpu, w->output);
    shares->share[at].output = true;
    add_weights(plan->gpu_layers ? &plan->devices[0] : cpu_of(plan), w->projector, 0, 0);
}

static void place_buffers(struct trial *t, struct shares *shares)
{
    const struct model_hparams *h = &t->s->subject->h;
    struct plan *plan = t->plan;
    size_t cpu = gpu_count(plan);
    bool overlaps = cpu > 1 && plan->gpu_layers > h->layers && !t->s->request->cpu_moe;
    uint32_t copies = overlaps ? 4 : 1; /* GGML_SCHED_MAX_COPIES */
    for (size_t i = 0; i < plan->n_devices; i++) {
        struct memory_share *share = &shares->share[i];
        share->copies = copies;
        share->gpu = i < cpu;
        share->whole = plan->devices[i].layers == h->layers && share->output;
        share->staged = i == 0 && share->gpu ? shares->largest_on_cpu : 0;
        if (share->gpu || plan->devices[i].layers || !cpu)
            plan->devices[i].compute = model_memory_compute(h, &plan->run, share);
    }
    if (plan->gpu_layers && !plan->devices[cpu].layers)
        plan->devices[cpu].compute = model_memory_compute_host(h, &plan->run, copies);
    plan->devices[cpu].output = model_memory_output(h, &plan->run);
}

/* Of a network that is not known the cache may be anything from none to full attention. */
static void set_bounds(struct plan_device *d, const struct trial *t)
{
    const struct model_hparams *h = &t->s->subject->h;
    uint64_t sure = model_memory_sum(d->weights, d->output);
    uint64_t cache = model_memory_sum(d->kv, d->recurrent), low = cache, high = cache;
    if (!plan_knows(t->s->subject)) {
        uint64_t row = model_memory_product(4, h->embedding);
        low = 0;
        high = bigger(cache, model_memory_product(model_memory_product(row, d->layers),
                                                  t->plan->run.context));
    }
    d->low = model_memory_sum(model_memory_sum(sure, low),
                              model_memory_sum(d->compute.low, d->overhead.low));
    d->expected = model_memory_sum(model_memory_sum(sure, cache),
                                   model_memory_sum(d->compute.expected, d->overhead.expected));
    d->high = model_memory_sum(model_memory_sum(sure, high),
                               model_memory_sum(d->compute.high, d->overhead.high));
}

static void clear_device(struct plan_device *d, const struct device *device)
{
    *d = (struct plan_device){.device = device, .overhead = device->overhead};
    d->capacity = device->memory > device->taken ? device->memory - device->taken : 0;
}

/* GPUs that use the RAM leave so much less of it. */
static void share_ram(struct plan *plan)
{
    struct plan_device *cpu = cpu_of(plan);
    for (size_t i = 0; i < gpu_count(plan); i++) {
        uint64_t used = plan->devices[i].high;
        cpu->capacity = cpu->capacity > used ? cpu->capacity - used : 0;
    }
}

/* Places everything for that many layers on the GPUs. */
static void place(struct trial *t, uint32_t gpu_layers)
{
    const struct machine *m = t->s->machine;
    struct shares shares = {0};
    struct plan *plan = t->plan;
    plan->n_devices = m->n_gpus + 1;
    for (size_t i = 0; i < m->n_gpus; i++)
        clear_device(&plan->devices[i], &m->gpus[i]);
    clear_device(cpu_of(plan), &m->cpu);
    make_split(t);
    set_layers(t, m->n_gpus ? gpu_layers : 0);
    for (uint32_t i = 0; i < t->s->subject->h.layers; i++)
        place_layer(t, &shares, i);
    place_ends(t, &shares);
    place_buffers(t, &shares);
    for (size_t i = 0; i < plan->n_devices; i++)
        set_bounds(&plan->devices[i], t);
    if (m->unified && plan->gpu_layers)
        share_ram(plan);
}

/* ---- Sums ------------------------------------------------------------------------------ */

const char *const plan_part_names[PLAN_PARTS] = {"weights", "KV cache", "state",
                                                 "compute", "output",   "runtime"};

void plan_parts(const struct plan_device *d, uint64_t parts[PLAN_PARTS])
{
    const uint64_t all[PLAN_PARTS] = {d->weights,          d->kv,     d->recurrent,
                                      d->compute.expected, d->output, d->overhead.expected};
    memcpy(parts, all, sizeof all);
}

bool plan_uses(const struct plan *plan, size_t device)
{
    return device + 1 == plan->n_devices || plan->gpu_layers > 0;
}

uint64_t plan_reclaimable(const struct situation *s, const struct plan *plan, size_t device)
{
    bool mapped = device + 1 == plan->n_devices && !s->request->no_mmap;
    return mapped ? plan->devices[device].weights : 0;
}

uint64_t plan_total(const struct plan *plan)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < plan->n_devices; i++)
        sum = model_memory_sum(sum, plan_uses(plan, i) ? plan->devices[i].expected : 0);
    return sum;
}

/* ---- Whether it fits -------------------------------------------------------------------- */

int64_t plan_free(const struct plan_device *d)
{
    return (int64_t)d->capacity -
           (int64_t)(d->expected < MEMORY_MAX ? d->expected : MEMORY_MAX);
}

/* What is missing with the high bounds. With no layer on it, a GPU need not be used. */
static uint64_t missing(const struct trial *t)
{
    const struct plan *plan = t->plan;
    uint64_t sum = 0;
    for (size_t i = 0; i < plan->n_devices; i++) {
        const struct plan_device *d = &plan->devices[i];
        if (plan_uses(plan, i) && d->high > d->capacity)
            sum = model_memory_sum(sum, d->high - d->capacity);
    }
    return sum;
}

static bool fits_with(struct trial *t, uint32_t gpu_layers)
{
    place(t, gpu_layers);
    return missing(t) == 0;
}

static bool gpus_fit(struct trial *t, uint32_t gpu_layers)
{
    place(t, gpu_layers);
    for (size_t i = 0; i < gpu_count(t->plan); i++) {
        if (t->plan->devices[i].high > t->plan->devices[i].capacity)
            return false;
    }
    return true;
}

/* The most layers that the GPUs take. Fewer of them would need more RAM: if the RAM does not
 * suffice then, nothing fits. */
static uint32_t most_layers(struct trial *t)
{
    uint32_t low = 0, high = t->s->subject->h.layers + 2;
    if (t->s->machine->n_gpus == 0)
        return 0;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (gpus_fit(t, middle))
            low = middle;
        else
            high = middle;
    }
    return low;
}

static uint64_t trained_context(const struct subject *subject)
{
    return subject->h.context ? subject->h.context : (uint64_t)1 << 20;
}

static bool context_fits(struct trial *t, uint32_t gpu_layers, uint64_t context)
{
    t->plan->run.context = context;
    return fits_with(t, gpu_layers);
}

/* The largest context, in steps, up to what the model was trained for. */
static uint64_t find_max_context(struct trial *t, uint32_t gpu_layers)
{
    uint64_t sequences = t->plan->run.sequences;
    uint64_t step = CONTEXT_STEP * sequences;
    uint64_t most = trained_context(t->s->subject) * sequences;
    if (context_fits(t, gpu_layers, most))
        return most;
    uint64_t low = 0, high = most / step + 1;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (context_fits(t, gpu_layers, middle * step))
            low = middle;
        else
            high = middle;
    }
    return low * step;
}

static enum verdict to_verdict(const struct trial *t)
{
    const struct plan *plan = t->plan;
    if (plan->short_bytes)
        return VERDICT_NO;
    if (plan->gpu_layers == 0)
        return VERDICT_RAM;
    bool whole = plan->gpu_layers > t->s->subject->h.layers && !t->s->request->cpu_moe;
    return whole ? VERDICT_GPU : VERDICT_PARTIAL;
}

/* ---- Speed ------------------------------------------------------------------------------ */

/* Bytes of the cache that a token reads when `depth` tokens are before it. */
static uint64_t cache_read(const struct trial *t, size_t device, uint64_t depth)
{
    const struct model_hparams *h = &t->s->subject->h;
    uint64_t sum = 0, bytes[2];
    for (uint32_t i = 0; i < h->layers; i++) {
        if (device_of(t, i) != device)
            continue;
        model_memory_cell_bytes(h, &t->plan->run, i, bytes);
        uint64_t cells =
            h->layer[i].sliding && h->window && h->window < depth ? h->window : depth;
        sum = model_memory_sum(sum, model_memory_product(cells, bytes[0] + bytes[1]));
    }
    return sum;
}

/* Sixteen bits a weight, but for the norms. */
static bool is_half(const struct weights *w)
{
    return (double)w->total > 1.9 * (double)w->elements;
}

static struct speed_run speed_setup(const struct trial *t, struct speed_part *parts,
                                    uint64_t depth)
{
    const struct plan *plan = t->plan;
    for (size_t i = 0; i < plan->n_devices; i++) {
        const struct plan_device *d = &plan->devices[i];
        parts[i] = (struct speed_part){.device = &d->device->hardware.speed,
                                       .weight_bytes = d->active,
                                       .kv_bytes = cache_read(t, i, depth),
                                       .parameters = d->parameters,
                                       .layers = d->layers,
                                       .routed = t->s->weights->active_share < 1,
                                       .half = is_half(t->s->weights)};
    }
    return (struct speed_run){.parts = parts,
                              .n_parts = plan->n_devices,
                              .flash_attention = plan->run.flash_attention,
                              .batch = plan->run.batch,
                              .prompt = PROMPT_TOKENS,
                              .link_bandwidth = t->s->machine->link_bandwidth};
}

static struct speed_range generate_at(const struct trial *t, uint64_t depth)
{
    struct speed_part parts[MAX_GPUS + 1];
    struct speed_run run = speed_setup(t, parts, depth);
    return model_speed_generate(&run);
}

/* For a prompt, a GPU takes over what lies in RAM, weight by weight. */
static struct speed_range prompt_speed(const struct trial *t)
{
    struct speed_part parts[MAX_GPUS + 1];
    struct speed_run run = speed_setup(t, parts, SHORT_DEPTH);
    struct speed_part *cpu = &parts[run.n_parts - 1];
    if (run.n_parts > 1 && t->plan->run.engine->stages && run.batch >= 32 &&
        t->plan->gpu_layers) {
        parts[0].parameters += cpu->parameters;
        parts[0].staged_bytes = cpu->weight_bytes;
        *cpu = (struct speed_part){.device = cpu->device};
    }
    return model_speed_prompt(&run);
}

/* ---- The plan ---------------------------------------------------------------------------- */

static uint64_t default_context(const struct subject *subject)
{
    uint64_t trained = trained_context(subject);
    return trained < DEFAULT_CONTEXT ? trained : DEFAULT_CONTEXT;
}

void plan_make(struct plan *plan, const struct situation *s)
{
    struct trial t = {.s = s, .plan = plan};
    *plan = (struct plan){.run = s->request->run};
    if (plan->run.context == 0)
        plan->run.context = default_context(s->subject);
    uint64_t context = plan->run.context;
    uint32_t layers = s->request->layers_given ? s->request->gpu_layers : most_layers(&t);
    uint64_t max_context = find_max_context(&t, layers);
    plan->run.context = context;
    place(&t, layers);
    plan->max_context = max_context;
    plan->short_bytes = missing(&t);
    plan->verdict = to_verdict(&t);
    plan->generate = generate_at(&t, SHORT_DEPTH < context ? SHORT_DEPTH : context);
    plan->generate_full = generate_at(&t, context / plan->run.sequences);
    plan->prompt = prompt_speed(&t);
}

void plan_verdict(char *out, size_t size, const struct plan *plan, const struct subject *s)
{
    const char *plural = plan->n_devices > 2 ? "GPUs" : "GPU";
    if (plan->verdict == VERDICT_GPU)
        snprintf(out, size, "fits on the %s", plural);
    else if (plan->verdict == VERDICT_PARTIAL && plan->gpu_layers > s->h.layers)
        snprintf(out, size, "fits with the experts in RAM");
    else if (plan->verdict == VERDICT_PARTIAL)
        snprintf(out, size, "fits with %u layers on the %s", plan->gpu_layers, plural);
    else
        snprintf(out, size, plan->verdict == VERDICT_RAM ? "fits in RAM" : "does not fit");
}
