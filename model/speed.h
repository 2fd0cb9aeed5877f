/*
 * How fast a model answers: tokens per second, from what a device must read (generation) and
 * compute (prompt). The numbers of a device come from the caller's table; docs/accuracy.md
 * shows what they reach.
 */
#ifndef MODEL_SPEED_H
#define MODEL_SPEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__) /* the library hides everything else */
#pragma GCC visibility push(default)
#endif

/* What a device can do. Numbers that are not finite and above 0 count as slow as can be. */
struct speed_device {
    double bandwidth;     /* of its memory, bytes per second, as the vendor states it */
    double efficiency;    /* share of it that reading weights reaches, 0 to 1 */
    double layer_seconds; /* launching and waiting, for each layer */
    double flops;         /* that multiplying quantized matrices reaches, per second */
    double spread;        /* how far the numbers may be off: 0.2 is a fifth to both sides */
};

/* The share of one device in one token. */
struct speed_part {
    const struct speed_device *device;
    uint64_t weight_bytes; /* read for one token: of experts, those that are used */
    uint64_t kv_bytes;     /* of the cache that is read at the depth in question */
    double parameters;     /* that take part in one token */
    uint32_t layers;
    uint64_t staged_bytes; /* weights that lie in RAM and are brought to a GPU for a batch */
    bool routed;           /* some of the weights are experts, of which few are used */
    bool half;             /* the weights are 16 bits wide, or wider: nothing to decode */
};

struct speed_run {
    const struct speed_part *parts;
    size_t n_parts;
    bool flash_attention;
    uint32_t batch;        /* tokens of a batch */
    uint32_t prompt;       /* tokens of the prompt */
    double link_bandwidth; /* RAM to GPU, bytes per second */
};

/* Tokens per second. */
struct speed_range {
    double low, expected, high;
};

/*
 * One token after another:
 *   t = sum over devices of  weights / (efficiency * bandwidth) + layer_seconds * layers
 *                          + KV bytes / (share * bandwidth)   + 0.25 ms a boundary
 * where the share is that of the weights with flash attention and 0.28 without. Experts cost
 * a tenth more. All zeros where nothing is read. Source: fits over published speeds,
 * docs/accuracy.md.
 */
struct speed_range model_speed_generate(const struct speed_run *run);

/*
 * A prompt, batch by batch: 2 parameters operations a token on each device, staged weights
 * once a batch. Weights of 16 bits are multiplied 1.2 times as fast, experts 0.45 times.
 * Several GPUs overlap their batches: the gain is (n c / (n + c - 1))^0.7 for n devices and c
 * batches. Prompts vary more: the spread is 0.15 wider.
 */
struct speed_range model_speed_prompt(const struct speed_run *run);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
