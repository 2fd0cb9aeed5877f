/* Tables, and what the machine is. */
#include "tests/bench/report.h"

#include "tools/common/term.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef BENCH_FLAGS /* CFLAGS of the Makefile */
#define BENCH_FLAGS ""
#endif

struct bench_sheet bench_sheet_begin(const char *columns, bool markdown)
{
    struct bench_sheet sheet = {.columns = strlen(columns)};
    if (!markdown)
        sheet.table = table_new(columns);
    return sheet;
}

static void end_row(const struct bench_sheet *sheet)
{
    puts("|");
    if (sheet->cells != sheet->columns)
        return;
    for (size_t i = 0; i < sheet->columns; i++)
        printf("|%s", i ? "--:" : "---");
    puts("|");
}

void bench_cell(struct bench_sheet *sheet, const char *format, ...)
{
    char text[128];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sheet->cells++;
    if (sheet->table) {
        table_cell(sheet->table, text);
        return;
    }
    printf("| %s ", text);
    if (sheet->cells % sheet->columns == 0)
        end_row(sheet);
}

void bench_sheet_end(struct bench_sheet *sheet)
{
    if (sheet->table)
        table_print(sheet->table, stdout, 0, true);
    table_free(sheet->table);
    putchar('\n');
}

void bench_processor(char *out, size_t size)
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "r");
    snprintf(out, size, "unknown");
    while (file && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon)
            continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(out, size, "%s", colon + 2);
        break;
    }
    if (file)
        fclose(file);
}

const char *bench_compiler(void)
{
#if defined(__clang__)
    return "clang " __clang_version__ " " BENCH_FLAGS;
#elif defined(__GNUC__)
    return "gcc " __VERSION__ " " BENCH_FLAGS;
#else
    return "unknown";
#endif
}

double bench_load(void)
{
    char line[64];
    FILE *file = fopen("/proc/loadavg", "r");
    double load = file && fgets(line, sizeof line, file) ? strtod(line, NULL) : 0;
    if (file)
        fclose(file);
    return load;
}
