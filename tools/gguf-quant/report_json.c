/* The report for programs: one object. */
#include "tools/gguf-quant/job.h"

static const char *reason_name(enum quant_reason reason)
{
    static const char *const names[] = {[QUANT_KEPT] = "kept",
                                        [QUANT_MIXED] = "mix",
                                        [QUANT_OVERRIDDEN] = "option",
                                        [QUANT_FALLBACK] = "fallback"};
    return names[reason];
}

static void json_tensor(cJSON *array, const struct job *job, const struct quant_item *item)
{
    const struct gguf_tensor *t = job_tensor(job, item);
    cJSON *o = json_add_object(array, NULL);
    json_str(o, "name", t->name);
    cJSON *shape = json_add_array(o, "shape");
    for (uint32_t d = 0; d < t->n_dims; d++)
        json_u64(shape, NULL, t->ne[d]);
    json_text(o, "from", type_name(t->type));
    json_text(o, "type", type_name(item->choice.type));
    json_text(o, "wanted", type_name(item->choice.wanted));
    json_text(o, "reason", reason_name(item->choice.reason));
    json_bool(o, "fallback", item->choice.reason == QUANT_FALLBACK);
    json_bool(o, "importance", item->importance != NULL);
    json_u64(o, "bytes_in", t->bytes);
    json_u64(o, "bytes_out", job_item_bytes(job, item));
    if (!job->request->dry_run)
        json_f64(o, "relative_rmse", quant_item_rmse(item));
}

static void json_types(cJSON *root, const struct job *job)
{
    cJSON *array = json_add_array(root, "types");
    for (size_t i = 0; gguf_type_at(i); i++) {
        struct sum sum = sum_of_type(job, gguf_type_at(i)->id);
        if (sum.tensors == 0)
            continue;
        cJSON *o = json_add_object(array, NULL);
        json_text(o, "type", gguf_type_at(i)->name);
        json_u64(o, "tensors", sum.tensors);
        json_u64(o, "parameters", sum.parameters);
        json_u64(o, "bytes_in", sum.bytes_in);
        json_u64(o, "bytes_out", sum.bytes_out);
    }
}

static void json_lists(cJSON *root, const struct job *job)
{
    json_types(root, job);
    cJSON *fallbacks = json_add_array(root, "fallbacks");
    cJSON *tensors = json_add_array(root, "tensors");
    for (size_t i = 0; i < job->n_items; i++) {
        if (job->items[i].choice.reason == QUANT_FALLBACK)
            json_str(fallbacks, NULL, job_tensor(job, &job->items[i])->name);
        json_tensor(tensors, job, &job->items[i]);
    }
    cJSON *files = json_add_array(root, "files");
    for (size_t i = 0; i < gguf_writer_file_count(job->writer); i++) {
        const char *path = gguf_writer_file_path(job->writer, i);
        if (path)
            json_text(files, NULL, path);
    }
}

/* COPY keeps the source's, if it has one. */
static void json_file_type(cJSON *root, const struct job *job)
{
    uint64_t file_type = job->request->recipe.mix->file_type;
    if (file_type != QUANT_TYPE_NONE ||
        gguf_get_u64(job->model, "general.file_type", &file_type))
        json_u64(root, "file_type", file_type);
    else
        json_null(root, "file_type");
}

static void json_imatrix(cJSON *root, const struct job *job)
{
    cJSON *imatrix = json_add_object(root, "imatrix");
    if (job->request->imatrix)
        json_text(imatrix, "file", job->request->imatrix);
    else
        json_null(imatrix, "file");
    json_str(imatrix, "dataset", quant_imatrix_dataset(job->imatrix));
    json_u64(imatrix, "chunks", quant_imatrix_chunks(job->imatrix));
    json_u64(imatrix, "entries", job->imatrix_entries);
}

void report_json(const struct job *job)
{
    const struct request *r = job->request;
    struct sum all = sum_of_all(job);
    cJSON *root = json_object();
    json_text(root, "input", r->input);
    if (r->output)
        json_text(root, "output", r->output);
    else
        json_null(root, "output");
    json_text(root, "type", r->recipe.mix->name);
    json_file_type(root, job);
    json_bool(root, "dry_run", r->dry_run);
    json_u64(root, "parameters", all.parameters);
    json_u64(root, "input_bytes", job->input_bytes);
    json_u64(root, "output_bytes", job->output_bytes);
    json_f64(root, "bits_per_weight", sum_bits(&all));
    if (!r->dry_run) {
        json_f64(root, "relative_rmse", sum_rmse(&all));
        json_f64(root, "seconds", job->seconds);
        json_bool(root, "verified", r->verify);
    }
    if (job->imatrix)
        json_imatrix(root, job);
    json_text(root, "preset", quant_preset_name(job->request->preset));
    json_lists(root, job);
    json_print(root);
}
