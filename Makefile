# ggufkit. `make help` lists the targets.

CC      ?= cc
CFLAGS  ?= -O2 -g
PREFIX  ?= /usr/local
DESTDIR ?=
BUILD   ?= build

VERSION := $(shell sed -n 's/^.define GGUFKIT_VERSION "\(.*\)"/\1/p' libgguf/gguf.h)
SONAME  := libgguf.so.$(firstword $(subst ., ,$(VERSION)))

WARN         := -Wall -Wextra -Wpedantic -Wshadow -Wconversion
CPPFLAGS_ALL := -I. -D_POSIX_C_SOURCE=200809L -D_FILE_OFFSET_BITS=64 $(CPPFLAGS)
CFLAGS_ALL   := -std=c11 $(WARN) -ffp-contract=off -fopenmp -fPIC -fvisibility=hidden $(CFLAGS)
LIBS         := -lz -lpcre2-8 -lutf8proc -lxxhash -lm

# quant/kernels is compiled once for each level of the processor, with its flags.
LEVELS_x86_64  := scalar avx2 avx512
LEVELS_aarch64 := scalar neon
MACHINE        := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
LEVELS         := $(or $(LEVELS_$(MACHINE)),scalar)
FLAGS_neon     := -DQUANT_NEON -DQUANT_LANES=4
FLAGS_x86      := -mavx2 -mfma -mf16c
FLAGS_avx2     := -DQUANT_LANES=8 $(FLAGS_x86)
FLAGS_avx512   := -DQUANT_LANES=16 $(FLAGS_x86) -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512

MODEL_HEADERS := $(wildcard model/model.h model/hparams.h model/tokenizer.h model/memory.h \
    model/speed.h model/training.h model/metrics.h model/capture.h)

LIB_SRC := $(wildcard libgguf/*.c quant/*.c model/*.c)
KERNELS := $(foreach l,$(LEVELS),$(patsubst %.c,$(BUILD)/%.$l.o,$(wildcard quant/kernels/*.c model/kernels/*.c)))
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o) $(KERNELS)
COMMON  := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tools/common/*.c)) $(BUILD)/data/hardware.o
TOOLS   := $(notdir $(patsubst %/,%,$(wildcard tools/gguf-*/)))
BINS    := $(TOOLS:%=$(BUILD)/%)
MAN     := $(TOOLS:%=docs/man/%.1)
UNIT    := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/*.c))
BENCH   := $(patsubst %,$(BUILD)/tests/bench/%.o,objective sets measure results compare report sheet)
OBJECTS := $(LIB_OBJ) $(COMMON) $(BENCH) $(BUILD)/tests/bench/bench_quant.o $(patsubst %.c,$(BUILD)/%.o,$(wildcard tools/gguf-*/*.c))

.PHONY: all deps deps-test demo test programs-asan fuzz-asan fuzz bench bench-pipeline bench-quality bench-eval bench-docs results lint format man install uninstall clean help
.DELETE_ON_ERROR:
.SECONDEXPANSION:

all: $(BUILD)/libgguf.a $(BUILD)/libgguf.so $(BUILD)/libgguf.pc $(BINS) ## build the libraries and the programs

deps: ## install the packages that building needs
	@tests/deps.sh build

deps-test: deps
	@tests/deps.sh test

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

# -g1, lines alone: following the variables of what is inlined takes longer than the code itself.
define KERNEL_RULE
$$(BUILD)/%.$1.o: %.c
	@mkdir -p $$(@D)
	@$$(CC) $$(CPPFLAGS_ALL) -DQUANT_LEVEL=$1 $$(patsubst -O2,-O3,$$(patsubst -g,-g1,$$(CFLAGS_ALL))) $$(FLAGS_$1) -MMD -MP -c $$< -o $$@
endef
$(foreach l,$(LEVELS),$(eval $(call KERNEL_RULE,$l)))

$(BUILD)/libgguf.a: $(LIB_OBJ)
	@rm -f $@
	@$(AR) rcs $@ $^

$(BUILD)/libgguf.so: $(LIB_OBJ)
	@$(CC) $(CFLAGS_ALL) $(LDFLAGS) -shared -Wl,-soname,$(SONAME) $^ -o $@ $(LIBS)
	@ln -sf libgguf.so $(BUILD)/$(SONAME)

$(BUILD)/libgguf.pc: libgguf/libgguf.pc.in libgguf/gguf.h Makefile
	@mkdir -p $(@D)
	@sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' $< > $@

$(BUILD)/common.a: $(COMMON)
	@rm -f $@
	@$(AR) rcs $@ $^

# The table of devices as lines of a C array.
$(BUILD)/data/hardware.c: data/hardware.csv
	@mkdir -p $(@D)
	@{ echo 'extern const char *const hardware_csv[];'; echo 'const char *const hardware_csv[] = {'; \
	    sed -e 's/[\\"]/\\&/g' -e 's/^/"/' -e 's/$$/",/' $<; echo '(void *)0};'; } > $@

$(BUILD)/data/hardware.o: $(BUILD)/data/hardware.c
	@$(CC) $(CFLAGS_ALL) -c $< -o $@

# Remote files need libcurl; without it gguf-size says so.
HASH      := \#
HAVE_CURL := $(shell echo '$(HASH)include <curl/curl.h>' | $(CC) $(CPPFLAGS) -E -x c - >/dev/null 2>&1 && echo yes)
ifeq ($(HAVE_CURL),yes)
$(BUILD)/tools/gguf-size/remote.o: CPPFLAGS_ALL += -DHAVE_CURL
$(BUILD)/gguf-size: LIBS += -lcurl
endif

$(BINS): $(BUILD)/%: $$(addprefix $(BUILD)/,$$(addsuffix .o,$$(basename $$(wildcard tools/%/*.c)))) $(BUILD)/common.a $(BUILD)/libgguf.a
	@$(CC) $(CFLAGS_ALL) $(LDFLAGS) $^ -o $@ -lcjson $(LIBS)

$(BUILD)/bench.a: $(BENCH)
	@rm -f $@
	@$(AR) rcs $@ $^

$(BUILD)/tests/bench/sheet.o: CPPFLAGS_ALL += -DBENCH_FLAGS='"$(CFLAGS)"'

$(BUILD)/bench_quant: $(BUILD)/tests/bench/bench_quant.o $(BUILD)/bench.a $(BUILD)/common.a $(BUILD)/libgguf.a
	@$(CC) $(CFLAGS_ALL) $(LDFLAGS) $^ -o $@ -lcjson $(LIBS)

$(BUILD)/unit/test_results: $(BUILD)/bench.a
$(BUILD)/unit/test_results: UNIT_LIBS := $(BUILD)/bench.a

$(BUILD)/unit/%: tests/unit/%.c $(BUILD)/common.a $(BUILD)/libgguf.a
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS) -MMD -MP $< -o $@ $(UNIT_LIBS) $(BUILD)/common.a $(BUILD)/libgguf.a -lcmocka -lcjson $(LIBS)

# The peak of the machine at each level.
PEAK := $(BUILD)/tests/bench/peak.o $(LEVELS:%=$(BUILD)/tests/bench/peak_kernels.%.o)
$(BUILD)/bench/bench_eval: $(PEAK)

$(BUILD)/bench/%: tests/bench/%.c $(BUILD)/common.a $(BUILD)/libgguf.a
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS) -MMD -MP $< -o $@ $(filter %.o,$^) $(BUILD)/common.a $(BUILD)/libgguf.a -lcjson $(LIBS)

# The kernels alone, so that it can be built for another kind of machine and linked statically.
CHECKED := $(filter $(BUILD)/quant/%,$(KERNELS)) $(addprefix $(BUILD)/,quant/cpu.o quant/preset.o quant/iq_tables.o libgguf/types.o)
$(BUILD)/checkquant: tests/checkquant.c $(CHECKED)
	@$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS) -MMD -MP $< -o $@ $(CHECKED) -lm

MULTIPLIED := $(CHECKED) $(filter $(BUILD)/model/%,$(KERNELS)) $(BUILD)/model/cpu.o
$(BUILD)/checkproducts: tests/checkproducts.c $(MULTIPLIED)
	@$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS) -MMD -MP $< -o $@ $(MULTIPLIED) -lm

# Fuzz targets run by a driver of our own, or with FUZZ_MAIN= and libFuzzer: tests/fuzz/run.sh.
FUZZ := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_MAIN = $(BUILD)/tests/fuzz/driver.o
$(FUZZ:%=$(BUILD)/fuzz/%): $(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/fuzz_%.o $(FUZZ_MAIN) $(BUILD)/libgguf.a
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS_ALL) $(LDFLAGS) $^ -o $@ $(LIBS)

$(BUILD)/faultio.so: tests/faults/faultio.c
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) -std=c11 $(WARN) -D_GNU_SOURCE -fPIC -shared $< -o $@ -ldl

demo: deps ## build, inspect the fixture model, quantize it, say what to try next
	@$(MAKE) -s --no-print-directory all
	@BUILD=$(BUILD) docs/demo.sh

test: deps-test ## install what the tests need, build, run every test
	@$(MAKE) -s --no-print-directory all $(UNIT) $(BUILD)/faultio.so programs-asan
	@BUILD=$(BUILD) CC=$(CC) tests/run.sh $(UNIT)

# The programs once more with AddressSanitizer and UndefinedBehaviorSanitizer.
ASAN := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all
programs-asan:
	@$(MAKE) -s --no-print-directory BUILD=$(BUILD)/asan CFLAGS="$(ASAN)" $(TOOLS:%=$(BUILD)/asan/%)

# The fuzz targets with a driver of our own, likewise.
fuzz-asan:
	@$(MAKE) -s --no-print-directory BUILD=$(BUILD)/asan CFLAGS="$(ASAN)" $(FUZZ:%=$(BUILD)/asan/fuzz/%)

fuzz: ## libFuzzer on every target, FUZZ_SECONDS (600) each
	@BUILD=$(BUILD) tests/fuzz/run.sh $(or $(FUZZ_SECONDS),600)

bench: $(BUILD)/bench_quant ## speed and error of the encoders, per type and preset
	@$(BUILD)/bench_quant

bench-pipeline: $(BUILD)/bench/make_model $(BUILD)/gguf-quant ## time gguf-quant on a 2.2 GB model; PEER=llama-quantize beside it
	@BUILD=$(BUILD) tests/bench/pipeline.sh

bench-quality: $(BUILD)/gguf-quant $(BUILD)/gguf-eval $(BUILD)/bench/quality_chart ## KL divergence of every mix; PEER=llama-quantize beside it
	@BUILD=$(BUILD) tests/bench/quality.sh

bench-eval: $(BUILD)/bench/bench_eval ## speed of the forward pass and its share of the peak, on MODEL
	@$(BUILD)/bench/bench_eval $(or $(MODEL),fixtures/shakespeare-f16.gguf)

bench-docs: $(BUILD)/bench_quant ## speed and errors of this machine into docs/benchmarks.md
	@$(BUILD)/bench_quant --markdown --no-errors | tests/bench/refill.sh speed
	@$(BUILD)/bench_quant --markdown --no-speed --preset default | tests/bench/refill.sh errors

results: $(BUILD)/bench_quant ## write tests/results.csv anew; FORCE=1: even if an error got worse
	@$(BUILD)/bench_quant --write tests/results.csv $(if $(FORCE),--force)

lint: deps ## static checks: layers, banned functions, lengths, clang-tidy, cppcheck
	@tests/deps.sh lint
	@CPPFLAGS_ALL="$(CPPFLAGS_ALL)" tests/lint.sh

format: ## clang-format everything
	@clang-format -i $$(git ls-files '*.c' '*.h')

docs/man/%.1: $(BUILD)/%
	@mkdir -p $(@D)
	@$< --man > $@

man: $(MAN) ## write the man pages anew from the programs' tables of options

install: all ## install below PREFIX (/usr/local); DESTDIR is put in front
	@install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pkgconfig \
	    $(DESTDIR)$(PREFIX)/include/libgguf $(DESTDIR)$(PREFIX)/include/quant \
	    $(DESTDIR)$(PREFIX)/include/model \
	    $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
	    $(DESTDIR)$(PREFIX)/share/ggufkit
	@install -m 755 $(BINS) $(DESTDIR)$(PREFIX)/bin
	@install -m 644 $(BUILD)/libgguf.a $(DESTDIR)$(PREFIX)/lib
	@install -m 755 $(BUILD)/libgguf.so $(DESTDIR)$(PREFIX)/lib/libgguf.so.$(VERSION)
	@ln -sf libgguf.so.$(VERSION) $(DESTDIR)$(PREFIX)/lib/$(SONAME)
	@ln -sf $(SONAME) $(DESTDIR)$(PREFIX)/lib/libgguf.so
	@sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' libgguf/libgguf.pc.in \
	    > $(DESTDIR)$(PREFIX)/lib/pkgconfig/libgguf.pc
	@install -m 644 libgguf/gguf.h $(DESTDIR)$(PREFIX)/include/libgguf
	@install -m 644 quant/quant.h $(DESTDIR)$(PREFIX)/include/quant
	@install -m 644 $(MODEL_HEADERS) $(DESTDIR)$(PREFIX)/include/model
	@install -m 644 $(MAN) $(DESTDIR)$(PREFIX)/share/man/man1
	@install -m 644 data/hardware.csv $(DESTDIR)$(PREFIX)/share/ggufkit
	@for t in $(TOOLS); do $(BUILD)/$$t --completion bash \
	    > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/$$t; done

uninstall: ## remove what `make install` put there
	@rm -f $(TOOLS:%=$(DESTDIR)$(PREFIX)/bin/%) $(DESTDIR)$(PREFIX)/lib/libgguf.a \
	    $(DESTDIR)$(PREFIX)/lib/libgguf.so* $(DESTDIR)$(PREFIX)/lib/pkgconfig/libgguf.pc \
	    $(DESTDIR)$(PREFIX)/include/libgguf/gguf.h $(DESTDIR)$(PREFIX)/include/quant/quant.h \
	    $(MODEL_HEADERS:%=$(DESTDIR)$(PREFIX)/include/%) \
	    $(TOOLS:%=$(DESTDIR)$(PREFIX)/share/man/man1/%.1) \
	    $(TOOLS:%=$(DESTDIR)$(PREFIX)/share/bash-completion/completions/%) \
	    $(DESTDIR)$(PREFIX)/share/ggufkit/hardware.csv

clean: ## remove what was built
	rm -rf $(BUILD)

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

-include $(OBJECTS:.o=.d) $(UNIT:=.d) $(BUILD)/checkquant.d $(BUILD)/checkproducts.d $(PEAK:.o=.d) \
    $(wildcard $(BUILD)/bench/*.d) $(FUZZ:%=$(BUILD)/tests/fuzz/fuzz_%.d) $(BUILD)/tests/fuzz/driver.d
