/*
 * A GGUF header without tensor data, made in memory: for questions about models of which no
 * file exists. Out of memory ends the program.
 */
#ifndef TOOLS_COMMON_HEADER_H
#define TOOLS_COMMON_HEADER_H

#include "libgguf/gguf.h"

struct header;

/* A header with general.architecture set. */
struct header *header_new(const char *architecture);
/* The model that was opened from it must be closed first. NULL does nothing. */
void header_free(struct header *header);

/* Sets the key ARCHITECTURE.suffix. */
void header_u32(struct header *header, const char *suffix, uint32_t value);

/* Adds a tensor of columns x rows x matrices. */
void header_tensor(struct header *header, const char *name, uint32_t type,
                   const uint64_t shape[3]);

/* Opens it: the tensors are there but not readable. NULL where the sizes are no model's. */
struct gguf *header_open(struct header *header);

#endif
