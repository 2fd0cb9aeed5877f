# ggufkit. `make help` lists the targets.

CC      ?= cc
CFLAGS  ?= -O2 -g
PREFIX  ?= /usr/local
BUILD   ?= build

WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wconversion
CPPFLAGS_ALL := -I. -D_POSIX_C_SOURCE=200809L -D_FILE_OFFSET_BITS=64 $(CPPFLAGS)
CFLAGS_ALL   := -std=c11 $(WARN) -ffp-contract=off -fopenmp -fPIC $(CFLAGS)

LIB_SRC := $(wildcard libgguf/*.c quant/*.c)
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)
UNIT    := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/*.c))

.PHONY: all test lint clean help deps-test
all: $(BUILD)/libgguf.a ## build everything

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

$(BUILD)/libgguf.a: $(LIB_OBJ)
	@rm -f $@
	@$(AR) rcs $@ $^

$(BUILD)/unit/%: tests/unit/%.c $(BUILD)/libgguf.a
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP $< -o $@ $(BUILD)/libgguf.a -lcmocka -lm

test: $(UNIT) ## run every test
	@tests/run.sh $(UNIT)

lint: ## static checks
	@tests/lint.sh

clean: ## remove what was built
	rm -rf $(BUILD)

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

-include $(LIB_OBJ:.o=.d) $(UNIT:=.d)
