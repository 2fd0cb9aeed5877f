/* The answer as one JSON object. */
#include "tools/gguf-size/size.h"

static void add_range(cJSON *parent, const char *key, struct speed_range r)
{
    cJSON *o = json_add_object(parent, key);
    json_f64(o, "low", r.low);
    json_f64(o, "expected", r.expected);
    json_f64(o, "high", r.high);
}

static void add_device(cJSON *devices, const struct situation *s, const struct plan *plan,
                       size_t i)
{
    const struct plan_device *d = &plan->devices[i];
    cJSON *o = json_add_object(devices, NULL);
    json_text(o, "name", d->device->hardware.name);
    json_text(o, "kind", i + 1 == plan->n_devices ? "ram" : "gpu");
    json_u64(o, "layers", d->layers);
    json_u64(o, "weights_bytes", d->weights);
    json_u64(o, "reclaimable_bytes", plan_reclaimable(s, plan, i));
    json_u64(o, "kv_bytes", d->kv);
    json_u64(o, "recurrent_bytes", d->recurrent);
    json_u64(o, "compute_bytes", d->compute.expected);
    json_u64(o, "compute_low_bytes", d->compute.low);
    json_u64(o, "compute_high_bytes", d->compute.high);
    json_u64(o, "output_bytes", d->output);
    json_u64(o, "overhead_bytes", d->overhead.expected);
    json_u64(o, "total_bytes", d->expected);
    json_u64(o, "low_bytes", d->low);
    json_u64(o, "high_bytes", d->high);
    json_u64(o, "capacity_bytes", d->capacity);
    json_i64(o, "free_bytes", plan_free(d));
}

static void add_model(cJSON *root, const struct situation *s)
{
    const struct subject *m = s->subject;
    cJSON *o = json_add_object(root, "model");
    json_text(o, "name", m->name);
    json_str(o, "architecture", m->h.architecture);
    json_bool(o, "known_architecture", plan_knows(m));
    json_u64(o, "parameters", s->weights->elements);
    json_f64(o, "active_parameters", weights_active(s->weights, m));
    json_u64(o, "layers", m->h.layers);
    json_u64(o, "trained_context", m->h.context);
    json_u64(o, "weights_bytes", s->weights->total);
    json_u64(o, "file_bytes", m->file_bytes);
    if (s->request->mix)
        json_text(o, "type", s->request->mix->name);
}

static void add_machine(cJSON *root, const struct machine *m)
{
    cJSON *o = json_add_object(root, "machine");
    json_bool(o, "detected", m->detected);
    if (m->detected)
        json_u64(o, "cores", m->cores);
    json_u64(o, "ram_bytes", m->cpu.memory);
    json_f64(o, "ram_bandwidth_bytes_per_second", m->cpu.hardware.speed.bandwidth);
    json_text(o, "ram_bandwidth_source", m->bandwidth_source);
}

static void add_run(cJSON *root, const struct plan *plan)
{
    const struct memory_run *run = &plan->run;
    cJSON *o = json_add_object(root, "run");
    json_text(o, "engine", run->engine->name);
    json_u64(o, "context", run->context);
    json_u64(o, "parallel", run->sequences);
    json_u64(o, "ubatch", run->batch);
    json_text(o, "kv_type_k", gguf_type_find(run->type_k)->name);
    json_text(o, "kv_type_v", gguf_type_find(run->type_v)->name);
    json_bool(o, "flash_attention", run->flash_attention);
}

static void add_quants(cJSON *root, const struct situation *s, const struct quant_table *quants)
{
    cJSON *list = json_add_array(root, "quants");
    char verdict[96];
    for (size_t i = 0; i < quants->n; i++) {
        const struct quant_row *row = &quants->rows[i];
        cJSON *o = json_add_object(list, NULL);
        plan_verdict(verdict, sizeof verdict, &row->plan, s->subject);
        json_text(o, "type", row->mix->name);
        json_f64(o, "bits_per_weight", row->bits);
        json_u64(o, "file_bytes", row->file_bytes);
        json_u64(o, "total_bytes", row->total_bytes);
        json_text(o, "verdict", verdict);
        json_bool(o, "fits", row->plan.verdict != VERDICT_NO);
        add_range(o, "generate_tokens_per_second", row->plan.generate);
        if (row->quality) {
            json_f64(o, "typical_kl_divergence", row->quality->divergence);
            json_f64(o, "typical_perplexity_growth", row->quality->perplexity);
        } else {
            json_null(o, "typical_kl_divergence");
            json_null(o, "typical_perplexity_growth");
        }
        json_bool(o, "recommended", row->recommended);
    }
    json_text(root, "recommendation", quants->reason);
}

void report_json(const struct situation *s, const struct plan *plan,
                 const struct quant_table *quants)
{
    char text[4096];
    cJSON *root = json_object();
    plan_verdict(text, sizeof text, plan, s->subject);
    json_text(root, "verdict", text);
    json_bool(root, "fits", plan->verdict != VERDICT_NO);
    json_u64(root, "short_bytes", plan->short_bytes);
    json_u64(root, "gpu_layers", plan->gpu_layers);
    add_model(root, s);
    add_machine(root, s->machine);
    add_run(root, plan);
    cJSON *devices = json_add_array(root, "devices");
    for (size_t i = 0; i < plan->n_devices; i++)
        add_device(devices, s, plan, i);
    json_u64(root, "max_context", plan->max_context);
    add_range(root, "generate_tokens_per_second", plan->generate);
    add_range(root, "generate_full_context_tokens_per_second", plan->generate_full);
    add_range(root, "prompt_tokens_per_second", plan->prompt);
    plan_command(text, sizeof text, s, plan);
    json_text(root, "command", text);
    plan_modelfile(text, sizeof text, s, plan, "\n");
    json_text(root, "modelfile", text);
    if (quants)
        add_quants(root, s, quants);
    json_print(root);
}
