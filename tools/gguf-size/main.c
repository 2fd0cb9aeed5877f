/* gguf-size: can this machine run it, at which quantization, how fast. */
#include "tools/gguf-size/size.h"

#include <stdlib.h>

/* What is printed and returned once the plan is made. */
static int answer(const struct situation *s, const struct cli *cli)
{
    const struct request *r = s->request;
    struct plan plan;
    struct quant_table quants = {0};
    bool with_quants = r->quants || r->report;
    plan_make(&plan, s);
    if (with_quants)
        quants_make(&quants, s);
    if (r->report)
        report_html(s, &plan, &quants);
    if (r->json)
        report_json(s, &plan, r->quants ? &quants : NULL);
    else if (cli->verbosity >= 0)
        report_text(s, &plan, r->quants ? &quants : NULL, cli);
    quants_free(&quants);
    return plan.verdict == VERDICT_NO ? CLI_NO : CLI_OK;
}

static int with_machine(const struct request *r, const struct subject *subject,
                        const struct hardware_table *table, const struct cli *cli)
{
    struct machine *machine = cli_alloc(1, sizeof *machine);
    struct weights *weights = cli_alloc(1, sizeof *weights);
    struct situation s = {r, machine, subject, weights};
    machine_make(machine, r, table);
    if (r->mix)
        mix_weights(weights, subject, r->mix);
    else
        weights_collect(weights, subject, NULL);
    int code = r->train ? train_report(&s) : answer(&s, cli);
    free(weights);
    free(machine);
    return code;
}

static int size_model(const struct request *r, const struct hardware_table *table,
                      const struct cli *cli)
{
    struct subject *subject = cli_alloc(1, sizeof *subject);
    subject_open(subject, r);
    int code = with_machine(r, subject, table, cli);
    subject_close(subject);
    free(subject);
    return code;
}

int main(int argc, char **argv)
{
    struct cli cli;
    struct request request;
    struct hardware_table table;
    int code = CLI_OK;
    cli_start(&cli, &size_program, argc, argv);
    request_parse(&request, &cli);
    hardware_load(&table, request.hardware);
    if (request.devices)
        hardware_print(&table, request.json);
    else if (request.table)
        table_report(&request);
    else
        code = size_model(&request, &table, &cli);
    hardware_free(&table);
    return cli_finish(&cli, code);
}
