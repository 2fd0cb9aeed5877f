# GPUs as the NVIDIA driver tells of them, by a library that stands in for it
cat >$TMP/nvml.c <<'EOF'
#include <string.h>
struct memory { unsigned long long total, free, used; };
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **h) { static int a[2]; *h = &a[i]; return 0; }
int nvmlDeviceGetName(void *h, char *name, unsigned size) { (void)h; strncpy(name, "NVIDIA GeForce RTX 3090", size); return 0; }
int nvmlDeviceGetMemoryInfo(void *h, struct memory *m) { (void)h; m->total = 24ull << 30; m->used = 1ull << 30; m->free = 23ull << 30; return 0; }
EOF
cc -shared -fPIC $TMP/nvml.c -o $TMP/libnvidia-ml.so.1 2>/dev/null
LD_LIBRARY_PATH=$TMP gguf-size --json fixtures/shakespeare-f16.gguf | grep -E '"(name|capacity_bytes)"' | head -5 | tail -4
