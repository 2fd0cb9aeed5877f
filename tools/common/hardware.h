/*
 * The table of devices: what a GPU or a CPU has, and what llama.cpp reaches on it. It is
 * data/hardware.csv, built in.
 */
#ifndef TOOLS_COMMON_HARDWARE_H
#define TOOLS_COMMON_HARDWARE_H

#include "model/model.h"

#define GIB ((uint64_t)1 << 30)
#define MIB ((uint64_t)1 << 20)

enum device_kind { DEVICE_CPU, DEVICE_CUDA, DEVICE_HIP, DEVICE_METAL, DEVICE_OTHER };

/* Where the numbers of a device come from. */
enum calibration {
    CALIBRATION_CLASS,    /* guessed from devices of its class */
    CALIBRATION_MEASURED, /* one published speed */
    CALIBRATION_FIT       /* a fit over several */
};

/* One row of the table of devices. */
struct hardware {
    char name[64];
    enum device_kind kind;
    uint64_t memory; /* bytes; 0: shares the RAM */
    struct speed_device speed;
    enum calibration calibration;
};

struct hardware_table {
    struct hardware *rows;
    size_t n;
};

/* The table that is built in, with the rows of `path` (may be NULL) before it: a row of the
 * user's replaces one of the same name. A bad row is a message and exit 2. */
void hardware_load(struct hardware_table *table, const char *path);
void hardware_free(struct hardware_table *table);

/* The row that is meant by `text`: "4090", "RTX 3060 12GB", "NVIDIA GeForce RTX 3090". With
 * a memory size other than the row's, that size counts. None or several: a message that
 * lists near ones, and exit 2. `kinds` is a set of bits 1 << enum device_kind. */
struct hardware hardware_find(const struct hardware_table *table, const char *text,
                              unsigned kinds);
/* The same without a message: false where nothing fits. */
bool hardware_match(const struct hardware_table *table, const char *text, unsigned kinds,
                    struct hardware *row);
/* --devices: the table. */
void hardware_print(const struct hardware_table *table, bool json);

#define KINDS_GPU (~(1u << DEVICE_CPU))
#define KINDS_CPU (1u << DEVICE_CPU)

#endif
