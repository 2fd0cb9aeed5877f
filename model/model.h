/*
 * model: the network of a model file. Hyperparameters, tokenizers and a reference forward
 * pass. The conventions of libgguf/gguf.h hold here too.
 */
#ifndef MODEL_H
#define MODEL_H

#include "libgguf/gguf.h"
#include "model/hparams.h"
#include "model/memory.h"
#include "model/speed.h"
#include "model/training.h"

#endif
