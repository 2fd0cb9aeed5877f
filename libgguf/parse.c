/*
 * The header of one file: validated once, then views.
 *
 *   magic "GGUF" | version | tensor count | key count | keys and values | tensor infos
 *
 * How long a header is, only its end tells. So a first part of the file is loaded and
 * parsed; where it is too short, twice as much is loaded and the parse starts again. The
 * sizes double, so the work stays linear in the header.
 */
#include "libgguf/bytes.h"
#include "libgguf/checked.h"
#include "libgguf/internal.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_LOAD 65536
#define MAX_HEADER (1u << 30) /* of a file: a length that a flipped bit made is not loaded */

/* A parse in progress. */
struct parse {
    struct gguf_part *part;
    struct cursor c;
    struct gguf_error *err;
    uint64_t limit;  /* what the header may reach to */
    uint64_t record; /* where the current record starts, for messages */
};

static const char *name_of(const struct parse *p)
{
    return p->part->source.name;
}

/* ---- Values --------------------------------------------------------------------------- */

/* The bytes that at least remain in the file, loaded or not. */
static uint64_t left_in_file(const struct parse *p)
{
    return p->part->source.size - p->c.pos;
}

static enum gguf_status fail_long(struct parse *p)
{
    return gguf_fail(p->err, GGUF_ERR_UNSUPPORTED, p->record,
                     "%s: the record at byte %llu makes the header longer than %u bytes; it is "
                     "damaged",
                     name_of(p), (unsigned long long)p->record, MAX_HEADER);
}

/* Whether `count` elements of at least `least` bytes can follow: known before any of them is
 * loaded. */
static enum gguf_status check_fits(struct parse *p, struct gguf_str key, uint64_t count,
                                   uint64_t least)
{
    uint64_t left = left_in_file(p);
    if (count > left / least)
        return gguf_fail(p->err, GGUF_ERR_TRUNCATED, p->record,
                         "%s: key %s: a value of %llu %s does not fit in the %llu bytes that "
                         "the file has left",
                         name_of(p), gguf_text(key).text, (unsigned long long)count,
                         least == 1 ? "bytes" : "elements", (unsigned long long)left);
    if (count > (p->limit - p->c.pos) / least)
        return fail_long(p);
    return GGUF_OK;
}

static enum gguf_status check_bools(struct parse *p, const unsigned char *data, uint64_t n,
                                    struct gguf_str key)
{
    for (uint64_t i = 0; data && i < n; i++) {
        if (data[i] > 1)
            return gguf_fail(p->err, GGUF_ERR_CORRUPT, p->record,
                             "%s: key %s: a bool is 0 or 1, found %u", name_of(p),
                             gguf_text(key).text, data[i]);
    }
    return GGUF_OK;
}

static enum gguf_status parse_array(struct parse *p, struct gguf_str key, int depth,
                                    struct gguf_value *value);

static enum gguf_status fail_type(struct parse *p, struct gguf_str key, uint32_t type)
{
    return gguf_fail(p->err, GGUF_ERR_CORRUPT, p->record,
                     "%s: key %s: value type %u does not exist (0 to 12 do)", name_of(p),
                     gguf_text(key).text, type);
}

/* Reads a value of a type that exists; *value is complete when the cursor is not short. */
static enum gguf_status parse_value(struct parse *p, struct gguf_str key, uint32_t type,
                                    int depth, struct gguf_value *value)
{
    *value = (struct gguf_value){.type = (uint8_t)type,
                                 .item = (uint8_t)type,
                                 .big_endian = p->c.big_endian,
                                 .short_sizes = p->c.short_sizes,
                                 .count = 1};
    if (type == GGUF_VALUE_ARRAY)
        return parse_array(p, key, depth + 1, value);
    value->size = type == GGUF_VALUE_STRING ? cursor_size(&p->c)
                                            : gguf_value_type_size((enum gguf_value_type)type);
    enum gguf_status status = check_fits(p, key, value->size, 1);
    if (status)
        return status;
    value->data = cursor_take(&p->c, value->size);
    if (type == GGUF_VALUE_BOOL)
        return check_bools(p, value->data, 1, key);
    return GGUF_OK;
}

/* The strings of an array are most of a long header. Those that are whole are passed over
 * here; the next one, if there is one, is for parse_value to wait for or to refuse. */
static uint64_t pass_strings(struct cursor *c, uint64_t count)
{
    size_t width = c->short_sizes ? 4 : 8;
    uint64_t n = 0;
    for (; n < count && cursor_left(c) >= width; n++) {
        uint64_t size = bytes_load(c->data + c->pos, width, c->big_endian);
        if (size > cursor_left(c) - width)
            break;
        c->pos += width + size;
    }
    return n;
}

/* Elements of variable size are walked; the rest is one step. */
static enum gguf_status parse_items(struct parse *p, struct gguf_str key, int depth,
                                    struct gguf_value *array)
{
    size_t width = gguf_value_type_size((enum gguf_value_type)array->item);
    if (width) {
        array->data = cursor_take(&p->c, array->count * width);
        if (array->item == GGUF_VALUE_BOOL)
            return check_bools(p, array->data, array->count, key);
        return GGUF_OK;
    }
    enum gguf_status status = GGUF_OK;
    uint64_t first = array->item == GGUF_VALUE_STRING ? pass_strings(&p->c, array->count) : 0;
    for (uint64_t i = first; i < array->count && !p->c.short_of && !status; i++) {
        struct gguf_value item;
        status = parse_value(p, key, array->item, depth, &item);
    }
    return status;
}

/* An element takes at least its width, a string its length, an array its header. */
static size_t least_bytes(const struct parse *p, uint32_t type)
{
    size_t width = gguf_value_type_size((enum gguf_value_type)type);
    size_t length = p->c.short_sizes ? 4 : 8;
    if (width)
        return width;
    return type == GGUF_VALUE_STRING ? length : 4 + length;
}

static enum gguf_status parse_array(struct parse *p, struct gguf_str key, int depth,
                                    struct gguf_value *value)
{
    if (depth > GGUF_MAX_DEPTH)
        return gguf_fail(p->err, GGUF_ERR_UNSUPPORTED, p->record,
                         "%s: key %s: arrays are nested deeper than %d", name_of(p),
                         gguf_text(key).text, GGUF_MAX_DEPTH);
    uint32_t item = cursor_u32(&p->c);
    value->count = cursor_size(&p->c);
    if (!gguf_value_type_name((enum gguf_value_type)item))
        return fail_type(p, key, item);
    enum gguf_status status = check_fits(p, key, value->count, least_bytes(p, item));
    if (status)
        return status;
    value->item = (uint8_t)item;
    uint64_t start = p->c.pos;
    status = parse_items(p, key, depth, value);
    value->data = p->c.data + start;
    value->size = p->c.pos - start;
    return status;
}

/* A name: a length, which is believed up to `limit` only, and its bytes. */
static enum gguf_status parse_name(struct parse *p, const char *what, uint64_t limit,
                                   struct gguf_str *name)
{
    uint64_t n = cursor_size(&p->c);
    *name = (struct gguf_str){"", 0};
    if (n > limit)
        return gguf_fail(p->err, GGUF_ERR_CORRUPT, p->record,
                         "%s: the name of a %s at byte %llu has %llu bytes; %llu are allowed",
                         name_of(p), what, (unsigned long long)p->record, (unsigned long long)n,
                         (unsigned long long)limit);
    const unsigned char *bytes = cursor_take(&p->c, n);
    if (bytes)
        *name = (struct gguf_str){(const char *)bytes, (size_t)n};
    return GGUF_OK;
}

/* ---- Keys --------------------------------------------------------------------------- */

static struct gguf_str key_at(const void *owner, size_t position)
{
    return ((const struct gguf_part *)owner)->kvs[position].key;
}

static enum gguf_status check_key(struct parse *p, struct gguf_str key)
{
    const char *wrong = NULL;
    if (key.size == 0)
        wrong = "a key is empty";
    else if (memchr(key.data, 0, key.size))
        wrong = "a key holds a NUL byte";
    else if (gguf_index_find(&p->part->kv_index, key, key_at, p->part) != GGUF_NOT_FOUND)
        wrong = "a key is given twice";
    if (!wrong)
        return GGUF_OK;
    return gguf_fail(p->err, GGUF_ERR_CORRUPT, p->record, "%s: %s: \"%s\" at byte %llu",
                     name_of(p), wrong, gguf_text(key).text, (unsigned long long)p->record);
}

static enum gguf_status parse_kv(struct parse *p)
{
    struct gguf_part *part = p->part;
    struct gguf_kv kv;
    p->record = p->c.pos;
    enum gguf_status status = parse_name(p, "key", GGUF_MAX_KEY, &kv.key);
    uint32_t type = cursor_u32(&p->c);
    if (status || p->c.short_of)
        return status;
    status = check_key(p, kv.key);
    if (status)
        return status;
    if (!gguf_value_type_name((enum gguf_value_type)type))
        return fail_type(p, kv.key, type);
    status = parse_value(p, kv.key, type, 0, &kv.value);
    if (status || p->c.short_of)
        return status;
    if (!gguf_reserve((void **)&part->kvs, part->n_kvs, &part->kv_capacity, sizeof kv))
        return gguf_fail_memory(p->err);
    part->kvs[part->n_kvs++] = kv;
    if (!gguf_index_add(&part->kv_index, part->n_kvs - 1, key_at, part))
        return gguf_fail_memory(p->err);
    return GGUF_OK;
}

/* ---- Tensor infos ------------------------------------------------------------------- */

static enum gguf_status fail_tensor(struct parse *p, struct gguf_str name, const char *what)
{
    return gguf_fail(p->err, GGUF_ERR_CORRUPT, p->record, "%s: tensor \"%s\" at byte %llu %s",
                     name_of(p), gguf_text(name).text, (unsigned long long)p->record, what);
}

static enum gguf_status parse_shape(struct parse *p, struct gguf_tensor *t)
{
    t->n_dims = cursor_u32(&p->c);
    if (t->n_dims > GGUF_MAX_DIMS)
        return fail_tensor(p, t->name, "has more than 4 dimensions");
    t->elements = 1;
    for (uint32_t i = 0; i < GGUF_MAX_DIMS; i++) {
        t->ne[i] = i < t->n_dims ? cursor_size(&p->c) : 1;
        if (t->ne[i] > CHECKED_MAX)
            return fail_tensor(p, t->name, "has a dimension of 2^63 or more");
    }
    /* zeros last, so that a product that does not fit is found in any order */
    for (uint32_t i = 0; i < GGUF_MAX_DIMS; i++) {
        if (t->ne[i] && !checked_mul(t->elements, t->ne[i], &t->elements))
            return fail_tensor(p, t->name, "has 2^63 or more elements");
    }
    for (uint32_t i = 0; i < GGUF_MAX_DIMS; i++) {
        if (t->ne[i] == 0)
            t->elements = 0;
    }
    return GGUF_OK;
}

static enum gguf_status parse_tensor(struct parse *p)
{
    struct gguf_part *part = p->part;
    struct gguf_tensor t = {0};
    p->record = p->c.pos;
    enum gguf_status status = parse_name(p, "tensor", GGUF_MAX_NAME, &t.name);
    if (status || p->c.short_of)
        return status;
    if (t.name.size == 0)
        return fail_tensor(p, t.name, "has no name");
    if (memchr(t.name.data, 0, t.name.size))
        return fail_tensor(p, t.name, "has a NUL byte in its name");
    status = parse_shape(p, &t);
    t.type = cursor_u32(&p->c);
    t.offset = cursor_uint(&p->c, 8);
    if (status || p->c.short_of)
        return p->c.short_of ? GGUF_OK : status;
    if (!gguf_reserve((void **)&part->tensors, part->n_tensors, &part->tensor_capacity,
                      sizeof t))
        return gguf_fail_memory(p->err);
    part->tensors[part->n_tensors++] = t;
    return GGUF_OK;
}

/* ---- The whole header --------------------------------------------------------------- */

/* The magic stays "GGUF" in big-endian files, and some writers turn it round. Which byte
 * order it is, the version tells: the other order has its number in the upper half. */
static enum gguf_status parse_version(struct parse *p)
{
    const unsigned char *magic = cursor_take(&p->c, 4);
    if (!magic || (memcmp(magic, "GGUF", 4) != 0 && memcmp(magic, "FUGG", 4) != 0))
        return gguf_fail_not_gguf(&p->part->source, p->err);
    const unsigned char *raw = cursor_take(&p->c, 4);
    if (!raw)
        return GGUF_OK;
    uint32_t version = (uint32_t)bytes_load(raw, 4, false);
    p->c.big_endian = version != 0 && (version & 0xffff) == 0;
    if (p->c.big_endian)
        version = (uint32_t)bytes_load(raw, 4, true);
    p->part->info.version = version;
    p->part->info.big_endian = p->c.big_endian;
    p->c.short_sizes = version == 1;
    if (version < 1 || version > 3)
        return gguf_fail(p->err, GGUF_ERR_VERSION, 4,
                         "%s: GGUF version %u; versions 1 to 3 are known", name_of(p), version);
    if (magic[0] == 'F' && !p->c.big_endian)
        return gguf_fail(p->err, GGUF_ERR_CORRUPT, 0,
                         "%s: the magic \"FUGG\" is that of a big-endian file, but the version "
                         "is little-endian",
                         name_of(p));
    return GGUF_OK;
}

/* A count is believed only if so many of the smallest records fit in the file. */
static enum gguf_status check_count(struct parse *p, const char *what, uint64_t count,
                                    uint64_t least)
{
    if (count <= left_in_file(p) / least)
        return GGUF_OK;
    return gguf_fail(
        p->err, GGUF_ERR_TRUNCATED, p->c.pos,
        "%s: the header announces %llu %s, which do not fit in the %llu bytes that "
        "the file has left; it is damaged or incomplete",
        name_of(p), (unsigned long long)count, what, (unsigned long long)left_in_file(p));
}

static enum gguf_status parse_header(struct parse *p)
{
    enum gguf_status status = parse_version(p);
    if (status)
        return status;
    uint64_t n_tensors = cursor_size(&p->c);
    uint64_t n_kvs = cursor_size(&p->c);
    uint64_t length = p->c.short_sizes ? 4 : 8;
    if (!p->c.short_of)
        status = check_count(p, "tensors", n_tensors, length + 1 + 4 + 4 + 8);
    if (!p->c.short_of && !status)
        status = check_count(p, "keys", n_kvs, length + 1 + 4 + 1);
    for (uint64_t i = 0; i < n_kvs && !status && !p->c.short_of; i++)
        status = parse_kv(p);
    p->part->info.kv_bytes = p->c.pos;
    for (uint64_t i = 0; i < n_tensors && !status && !p->c.short_of; i++)
        status = parse_tensor(p);
    p->part->info.header_bytes = p->c.pos;
    return status;
}

static void forget(struct gguf_part *part)
{
    part->n_kvs = part->n_tensors = 0;
    gguf_index_free(&part->kv_index);
}

/* Makes the first `size` bytes of the file available at part->header. */
static enum gguf_status load(struct gguf_part *part, size_t old, size_t size,
                             struct gguf_error *err)
{
    unsigned char *grown = realloc(part->header, size ? size : 1);
    if (!grown)
        return gguf_fail_memory(err);
    part->header = grown;
    return gguf_source_read(&part->source, old, grown + old, size - old, err);
}

static enum gguf_status fail_short(struct parse *p)
{
    if (p->c.size < p->part->source.size)
        return fail_long(p);
    return gguf_fail(p->err, GGUF_ERR_TRUNCATED, p->part->source.size,
                     "%s: the file ends at byte %llu, inside its header (in the record at byte "
                     "%llu); it is incomplete: download it again",
                     name_of(p), (unsigned long long)p->part->source.size,
                     (unsigned long long)p->record);
}

enum gguf_status gguf_part_load(struct gguf_part *part, struct gguf_error *err)
{
    bool in_memory = !part->source.is_file;
    uint64_t total = part->source.size;
    if (!in_memory && total > MAX_HEADER)
        total = MAX_HEADER;
    uint64_t size = in_memory || total < FIRST_LOAD ? total : FIRST_LOAD;
    for (uint64_t old = 0;;) {
        enum gguf_status status =
            in_memory ? GGUF_OK : load(part, (size_t)old, (size_t)size, err);
        if (status)
            return status;
        struct parse p = {.part = part, .err = err, .limit = total};
        p.c.data = in_memory ? part->source.memory : part->header;
        p.c.size = size;
        status = parse_header(&p);
        if (status || !p.c.short_of)
            return status;
        if (size == total)
            return fail_short(&p);
        forget(part);
        old = size;
        size = size > total / 2 ? total : size * 2;
    }
}

const struct gguf_kv *gguf_part_find(const struct gguf_part *part, const char *key)
{
    struct gguf_str name = {key, strlen(key)};
    size_t i = gguf_index_find(&part->kv_index, name, key_at, part);
    return i == GGUF_NOT_FOUND ? NULL : &part->kvs[i];
}

uint64_t gguf_part_record(const struct gguf_part *part, struct gguf_str name)
{
    const unsigned char *start = part->header ? part->header : part->source.memory;
    size_t length = part->info.version == 1 ? 4 : 8;
    return (uint64_t)((const unsigned char *)name.data - start) - length;
}

void gguf_part_free(struct gguf_part *part)
{
    gguf_source_close(&part->source);
    gguf_index_free(&part->kv_index);
    free(part->path);
    free(part->header);
    free(part->kvs);
    free(part->tensors);
}
