/* Signals of programs that write a file which must be complete or absent. */
#ifndef TOOLS_COMMON_SIGNALS_H
#define TOOLS_COMMON_SIGNALS_H

/*
 * SIGINT, SIGTERM and SIGHUP go to `handler`, which may be SIG_IGN; those that are ignored
 * already stay so: nohup, or a shell that starts the program in the background, has said it.
 *
 * SIGPIPE and SIGXFSZ are ignored from here on, and the write that raised them fails with EPIPE
 * or EFBIG. For the output that is an error like any other, which is told by name and leaves
 * nothing behind; for progress lines that nobody reads any more it is no reason to throw hours
 * of work away; for a report on stdout cli_finish tells it.
 */
void signals_catch(void (*handler)(int));

#endif
