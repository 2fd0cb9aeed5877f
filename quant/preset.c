/* The presets by name. */
#include "quant/quant.h"

#include <strings.h>

static const char *const names[] = {[QUANT_PRESET_DEFAULT] = "default",
                                    [QUANT_PRESET_FAST] = "fast",
                                    [QUANT_PRESET_BEST] = "best"};
#define N_PRESETS (sizeof names / sizeof names[0])

const char *quant_preset_name(enum quant_preset preset)
{
    return (size_t)preset < N_PRESETS ? names[preset] : NULL;
}

bool quant_preset_find(const char *name, enum quant_preset *preset)
{
    for (size_t i = 0; i < N_PRESETS; i++) {
        if (strcasecmp(names[i], name) == 0) {
            *preset = (enum quant_preset)i;
            return true;
        }
    }
    return false;
}
