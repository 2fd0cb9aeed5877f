/* What the system says of its memory and its GPUs. */
#include "tools/gguf-size/size.h"

#include <dlfcn.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__APPLE__)
#include <sys/sysctl.h>
#endif

/* ---- RAM ----------------------------------------------------------------------------- */

/* A number in a file of the kernel's, times `unit`; 0 where there is none. */
static uint64_t read_number(const char *path, const char *key, uint64_t unit)
{
    char line[256];
    uint64_t value = 0;
    size_t n = strlen(key);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, key, n) == 0) {
            value = strtoull(line + n, NULL, 10);
            break;
        }
    }
    if (f)
        fclose(f);
    return value > UINT64_MAX / unit ? 0 : value * unit;
}

#if defined(__APPLE__)
static uint64_t system_ram(uint64_t *available)
{
    uint64_t bytes = 0;
    size_t size = sizeof bytes;
    if (sysctlbyname("hw.memsize", &bytes, &size, NULL, 0) != 0)
        bytes = 0;
    *available = bytes - bytes / 8;
    return bytes;
}
#else
static uint64_t system_ram(uint64_t *available)
{
    uint64_t bytes = read_number("/proc/meminfo", "MemTotal:", 1024);
    if (bytes == 0) {
        long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
        bytes = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
    }
    *available = read_number("/proc/meminfo", "MemAvailable:", 1024);
    if (*available == 0 || *available > bytes)
        *available = bytes;
    return bytes;
}
#endif

/* A container may have less than the machine. */
uint64_t detect_ram(uint64_t *available)
{
    static const char *const limits[] = {"/sys/fs/cgroup/memory.max",
                                         "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
    uint64_t bytes = system_ram(available);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        uint64_t limit = read_number(limits[i], "", 1);
        if (limit && limit < bytes) {
            bytes = limit;
            *available = *available < limit ? *available : limit;
        }
    }
    return bytes;
}

/* ---- NVIDIA ---------------------------------------------------------------------------- */

/* The part of NVML that is needed; the library comes with the driver and is looked for when
 * the program runs. */
struct nvml_memory {
    unsigned long long total, free, used;
};
struct nvml {
    int (*init)(void);
    int (*shutdown)(void);
    int (*count)(unsigned *);
    int (*handle)(unsigned, void **);
    int (*name)(void *, char *, unsigned);
    int (*memory)(void *, struct nvml_memory *);
};

/* POSIX has dlsym return functions as object pointers. */
static bool load_function(void *library, const char *name, void *function)
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

static bool load_nvml(void *library, struct nvml *n)
{
    return load_function(library, "nvmlInit_v2", &n->init) &&
           load_function(library, "nvmlShutdown", &n->shutdown) &&
           load_function(library, "nvmlDeviceGetCount_v2", &n->count) &&
           load_function(library, "nvmlDeviceGetHandleByIndex_v2", &n->handle) &&
           load_function(library, "nvmlDeviceGetName", &n->name) &&
           load_function(library, "nvmlDeviceGetMemoryInfo", &n->memory);
}

static size_t ask_nvml(const struct nvml *n, struct found_gpu *found, size_t most)
{
    unsigned count = 0;
    size_t used = 0;
    if (n->count(&count) != 0)
        return 0;
    for (unsigned i = 0; i < count && used < most; i++) {
        void *device = NULL;
        struct nvml_memory memory = {0, 0, 0};
        struct found_gpu *gpu = &found[used];
        if (n->handle(i, &device) != 0 || n->memory(device, &memory) != 0 ||
            n->name(device, gpu->name, sizeof gpu->name) != 0)
            continue;
        gpu->name[sizeof gpu->name - 1] = '\0';
        gpu->memory = memory.total;
        gpu->used = memory.used;
        used++;
    }
    return used;
}

static size_t detect_nvidia(struct found_gpu *found, size_t most)
{
    struct nvml n;
    size_t count = 0;
    void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return 0;
    if (load_nvml(library, &n) && n.init() == 0) {
        count = ask_nvml(&n, found, most);
        n.shutdown();
    }
    dlclose(library);
    return count;
}

/* ---- AMD ------------------------------------------------------------------------------ */

static void read_line(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "r");
    out[0] = '\0';
    if (f) {
        if (!fgets(out, (int)size, f))
            out[0] = '\0';
        fclose(f);
    }
    out[strcspn(out, "\n")] = '\0';
}

/* Cards of the amdgpu driver tell their memory in sysfs. */
static size_t detect_amd(struct found_gpu *found, size_t most)
{
    enum { CARDS = 16 };
    size_t count = 0;
    for (int i = 0; i < CARDS && count < most; i++) {
        char path[128];
        struct found_gpu *gpu = &found[count];
        snprintf(path, sizeof path, "/sys/class/drm/card%d/device/mem_info_vram_total", i);
        gpu->memory = read_number(path, "", 1);
        if (gpu->memory == 0)
            continue;
        snprintf(path, sizeof path, "/sys/class/drm/card%d/device/mem_info_vram_used", i);
        gpu->used = read_number(path, "", 1);
        snprintf(path, sizeof path, "/sys/class/drm/card%d/device/product_name", i);
        read_line(path, gpu->name, sizeof gpu->name);
        if (!gpu->name[0])
            snprintf(gpu->name, sizeof gpu->name, "AMD GPU %d", i);
        count++;
    }
    return count;
}

/* ---- Apple ---------------------------------------------------------------------------- */

#if defined(__APPLE__)
static size_t detect_apple(struct found_gpu *found, size_t most)
{
    size_t size = sizeof found->name;
    if (most == 0 || sysctlbyname("machdep.cpu.brand_string", found->name, &size, NULL, 0) != 0)
        return 0;
    found->memory = found->used = 0;
    return 1;
}
#else
static size_t detect_apple(struct found_gpu *found, size_t most)
{
    (void)found;
    (void)most;
    return 0;
}
#endif

size_t detect_gpus(struct found_gpu *found, size_t most)
{
    size_t n = detect_nvidia(found, most);
    n += detect_amd(found + n, most - n);
    n += detect_apple(found + n, most - n);
    return n;
}

/* ---- Bandwidth --------------------------------------------------------------------------- */

static uint64_t sum_words(const uint64_t *data, size_t n)
{
    uint64_t sum = 0;
#pragma omp parallel for reduction(+ : sum) schedule(static)
    for (size_t i = 0; i < n; i++)
        sum += data[i];
    return sum;
}

/* Reads a block that no cache holds, until half a second is over; the best pass counts. */
double measure_bandwidth(void)
{
    enum { BYTES = 256 << 20 };
    size_t n = BYTES / sizeof(uint64_t);
    uint64_t *data = malloc(BYTES);
    double best = 0, end;
    uint64_t kept = 0;
    if (!data)
        return 0;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++)
        data[i] = i;
    end = term_seconds() + 0.5;
    do {
        double start = term_seconds();
        kept += sum_words(data, n);
        double seconds = term_seconds() - start;
        if (seconds > 0 && BYTES / seconds > best)
            best = BYTES / seconds;
    } while (term_seconds() < end);
    free(data);
    return kept == UINT64_MAX ? 0 : best; /* the sums must be made */
}
