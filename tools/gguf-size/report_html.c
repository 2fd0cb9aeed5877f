/* --report: the answer with charts, as one HTML file. */
#include "tools/gguf-size/size.h"
void report_html(const char *path, const struct situation *s, const struct plan *plan,
                 const struct quant_table *quants)
{
    (void)s;
    (void)plan;
    (void)quants;
    cli_die("%s", path);
}
