/* The machine that the question is about: named, or this one. */
#include "tools/gguf-size/size.h"

#include <string.h>
#include <unistd.h>

#define SYSTEM_RAM     (2 * GIB) /* that a system needs beside, of a RAM that is named */
#define GUESSED_RAM_BW 50e9      /* two channels of DDR4-3200 */
#define LINK_BW        12e9      /* PCI Express 3.0 x16, or 4.0 x8 */
#define BIG_GPU        (90 * GIB)

/* Memory of the runtime beside the buffers, by kind: logs of shared data. */
static struct memory_range overhead_of(enum device_kind kind, uint64_t memory)
{
    if (kind == DEVICE_CUDA && memory >= BIG_GPU)
        return (struct memory_range){350 * MIB, 550 * MIB, 750 * MIB};
    if (kind == DEVICE_CUDA)
        return (struct memory_range){310 * MIB, 330 * MIB, 350 * MIB};
    if (kind == DEVICE_METAL)
        return (struct memory_range){0, 50 * MIB, 150 * MIB};
    if (kind == DEVICE_CPU)
        return (struct memory_range){30 * MIB, 80 * MIB, 200 * MIB};
    return (struct memory_range){150 * MIB, 300 * MIB, 600 * MIB};
}

/* Apple's limit for the GPU: two thirds of a small RAM, three quarters of a large one. */
static uint64_t metal_share(uint64_t ram)
{
    return ram <= 36 * GIB ? ram / 3 * 2 : ram / 4 * 3;
}

static void add_gpu(struct machine *m, const struct hardware *hardware, uint64_t memory,
                    uint64_t taken)
{
    struct device *d = &m->gpus[m->n_gpus++];
    d->hardware = *hardware;
    d->memory = memory;
    d->taken = taken;
    if (memory == 0) {
        m->unified = true;
        d->memory = hardware->kind == DEVICE_METAL ? metal_share(m->cpu.memory) : m->cpu.memory;
    }
    d->overhead = overhead_of(hardware->kind, d->memory);
}

/* A GPU that the table lacks: its memory counts, its speed is guessed from that of cards
 * with as much memory. */
static struct hardware unknown_gpu(const struct found_gpu *found)
{
    struct hardware row = {.kind = DEVICE_OTHER,
                           .memory = found->memory,
                           .speed = {.bandwidth = 300e9,
                                     .efficiency = 0.75,
                                     .layer_seconds = 100e-6,
                                     .flops = 20e12,
                                     .spread = 0.6}};
    gguf_str_escape(row.name, sizeof row.name,
                    (struct gguf_str){found->name, strlen(found->name)});
    return row;
}

static void add_found(struct machine *m, const struct hardware_table *table)
{
    struct found_gpu found[MAX_GPUS];
    size_t n = detect_gpus(found, MAX_GPUS);
    for (size_t i = 0; i < n; i++) {
        struct hardware row;
        if (!hardware_match(table, found[i].name, KINDS_GPU, &row)) {
            row = unknown_gpu(&found[i]);
            cli_warning("the speed of the GPU \"%s\" is not known and is guessed; a row for "
                        "it in a --hardware file would tell",
                        row.name);
        }
        add_gpu(m, &row, found[i].memory, found[i].used);
    }
}

static void set_ram(struct machine *m, const struct request *r)
{
    uint64_t available;
    m->cpu.memory = r->ram;
    m->cpu.taken = r->ram / 4 < SYSTEM_RAM ? r->ram / 4 : SYSTEM_RAM;
    if (r->ram)
        return;
    m->cpu.memory = detect_ram(&available);
    m->cpu.taken = m->cpu.memory - available;
    if (m->cpu.memory == 0)
        cli_die("cannot tell how much RAM this machine has; name it with --ram");
}

static void set_cpu_speed(struct machine *m, const struct request *r,
                          const struct hardware_table *table)
{
    struct hardware *h = &m->cpu.hardware;
    double spread = 0.35;
    if (r->cpu) {
        *h = hardware_find(table, r->cpu, KINDS_CPU);
        m->bandwidth_source = "from the table";
        return;
    }
    *h = (struct hardware){.name = "RAM", .kind = DEVICE_CPU};
    m->bandwidth_source = "given";
    h->speed.bandwidth = r->cpu_bandwidth;
    h->speed.efficiency = 0.65;
    if (r->measure) {
        h->speed.bandwidth = measure_bandwidth();
        h->speed.efficiency = 0.9; /* measured by reading: what the vendor states is more */
        m->bandwidth_source = "measured";
    } else if (r->cpu_bandwidth <= 0) {
        h->speed.bandwidth = GUESSED_RAM_BW;
        m->bandwidth_source = "guessed: --measure or --cpu-bandwidth tells";
        spread = 0.6;
    }
    h->speed.layer_seconds = 10e-6;
    h->speed.flops = h->speed.bandwidth * 9; /* 0.5 TFLOPS at 51 GB/s: cores grow with it */
    h->speed.spread = spread;
}

void machine_make(struct machine *machine, const struct request *request,
                  const struct hardware_table *table)
{
    struct machine *m = machine;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    *m = (struct machine){.cores = cores > 0 ? (uint32_t)cores : 1, .link_bandwidth = LINK_BW};
    set_ram(m, request);
    set_cpu_speed(m, request, table);
    m->cpu.overhead = overhead_of(DEVICE_CPU, 0);
    m->detected = request->n_gpus == 0 && request->ram == 0;
    for (size_t i = 0; i < request->n_gpus; i++) {
        struct hardware row = hardware_find(table, request->gpus[i], KINDS_GPU);
        add_gpu(m, &row, row.memory, 0);
    }
    if (request->n_gpus == 0 && !request->no_gpu)
        add_found(m, table);
    if (m->unified)
        m->link_bandwidth = m->cpu.hardware.speed.bandwidth;
}
