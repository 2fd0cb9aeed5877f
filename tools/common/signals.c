/* Signals of programs that write a file: see signals.h. */
#include "tools/common/signals.h"

#include <signal.h>
#include <stddef.h>

static void set_handler(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler}, before;
    sigemptyset(&action.sa_mask);
    if (sigaction(number, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(number, &action, NULL);
}

void signals_catch(void (*handler)(int))
{
    static const int stop[] = {SIGINT, SIGTERM, SIGHUP}, writing[] = {SIGPIPE, SIGXFSZ};
    for (size_t i = 0; i < sizeof stop / sizeof stop[0]; i++)
        set_handler(stop[i], handler);
    for (size_t i = 0; i < sizeof writing / sizeof writing[0]; i++)
        set_handler(writing[i], SIG_IGN);
}
