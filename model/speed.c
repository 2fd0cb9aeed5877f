/* Tokens per second: see speed.h. */
#include "model/speed.h"

#include <math.h>

#define BOUNDARY_SECONDS 0.25e-3 /* handing the activations to the next device */
#define PLAIN_KV_SHARE   0.28    /* of the bandwidth, reading K and V without flash attention */
#define ROUTED_COST      1.1     /* times the time of a dense layer of as many bytes */
#define ROUTED_FLOPS     0.45    /* of a prompt: small matrices, unevenly used */
#define HALF_FLOPS       1.2     /* nothing to decode */
#define ROUTED_SPREAD    0.15
#define PROMPT_SPREAD    0.15
#define SLOWEST          1.0 /* byte, or operation, per second: for nonsense */

static double at_least(double value)
{
    return isfinite(value) && value > SLOWEST ? value : SLOWEST;
}

static double share(double value)
{
    return isfinite(value) && value > 0.01 ? (value < 1 ? value : 1) : 0.01;
}

static double weight_seconds(const struct speed_part *part)
{
    const struct speed_device *d = part->device;
    return (double)part->weight_bytes / (share(d->efficiency) * at_least(d->bandwidth));
}

static double kv_seconds(const struct speed_run *run, const struct speed_part *part)
{
    const struct speed_device *d = part->device;
    double reached = share(d->efficiency);
    if (!run->flash_attention && reached > PLAIN_KV_SHARE)
        reached = PLAIN_KV_SHARE;
    return (double)part->kv_bytes / (reached * at_least(d->bandwidth));
}

static double spread_of(const struct speed_part *part)
{
    return part->device->spread + (part->routed ? ROUTED_SPREAD : 0);
}

static double layer_seconds(const struct speed_part *part)
{
    double seconds = weight_seconds(part) + part->device->layer_seconds * part->layers;
    return part->routed ? seconds * ROUTED_COST : seconds;
}

static double prompt_flops(const struct speed_part *part)
{
    double factor = (part->routed ? ROUTED_FLOPS : 1) * (part->half ? HALF_FLOPS : 1);
    return at_least(part->device->flops * factor);
}

/* The spread of the whole is that of the parts, weighed by their time. */
static struct speed_range to_range(double tokens, double seconds, double spread_seconds)
{
    if (!(seconds > 0) || !(tokens > 0))
        return (struct speed_range){0, 0, 0};
    double expected = tokens / seconds, spread = spread_seconds / seconds;
    spread = spread < 0.9 ? spread : 0.9;
    return (struct speed_range){expected * (1 - spread), expected, expected * (1 + spread)};
}

static bool takes_part(const struct speed_part *part)
{
    return part->weight_bytes > 0 || part->kv_bytes > 0;
}

struct speed_range model_speed_generate(const struct speed_run *run)
{
    double seconds = 0, spread = 0;
    int devices = 0;
    for (size_t i = 0; i < run->n_parts; i++) {
        const struct speed_part *part = &run->parts[i];
        if (!takes_part(part))
            continue;
        double own = layer_seconds(part) + kv_seconds(run, part);
        own += devices++ ? BOUNDARY_SECONDS : 0;
        seconds += own;
        spread += own * spread_of(part);
    }
    return to_range(1, seconds, spread);
}

/* Devices that work on different batches at once. */
static double overlap(int devices, double batches)
{
    return devices > 1 ? pow(devices * batches / (devices + batches - 1), 0.7) : 1;
}

struct speed_range model_speed_prompt(const struct speed_run *run)
{
    double seconds = 0, spread = 0;
    int devices = 0;
    double tokens = run->prompt ? run->prompt : 1, batch = run->batch ? run->batch : 1;
    double batches = ceil(tokens / batch);
    for (size_t i = 0; i < run->n_parts; i++) {
        const struct speed_part *part = &run->parts[i];
        if (!takes_part(part) && !part->staged_bytes)
            continue;
        double own = tokens * 2 * part->parameters / prompt_flops(part);
        own += batches * (double)part->staged_bytes / at_least(run->link_bandwidth);
        devices += part->parameters > 0;
        seconds += own;
        spread += own * (spread_of(part) + PROMPT_SPREAD);
    }
    double gain = overlap(devices, batches);
    return to_range(tokens, seconds / gain, spread / gain);
}
