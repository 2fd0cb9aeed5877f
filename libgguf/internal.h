/* What the files of libgguf share and nobody else sees. */
#ifndef LIBGGUF_INTERNAL_H
#define LIBGGUF_INTERNAL_H

#include "libgguf/error.h"
#include "libgguf/gguf.h"

#endif
