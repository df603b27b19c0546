# SPDX-License-Identifier: MIT
# The front door. CMake does the work; build/PRESET is where.
PREFIX ?= /usr/local
DESTDIR ?=
JOBS ?= $(shell nproc)

# A make of our make must not know: it would speak of every directory.
alone = env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL
build = cmake --preset $(1) > /dev/null && \
	$(alone) cmake --build build/$(1) -j$(JOBS)

help:
	@echo "make demo        the geoip service on a real table, 20 s"
	@echo "make check       build, lint and quick tests, two minutes"
	@echo "make check-full  compilers, sanitizers, machines, models: 20 min"
	@echo "make coverage    what of src/ the quick tests execute"
	@echo "make fuzz        libFuzzer on each target of tests/fuzz, a minute each"
	@echo "make bench       the tables of the README, with the peers"
	@echo "make lint        labels, layers, limits, symbols, style"
	@echo "make install     PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)"
	@echo "make clean       remove build/"

demo:
	@scripts/deps --demo
	@$(call build,release) --target geoip
	@build/release/examples/geoip/geoip

check: quick-build lint
	@ctest --preset dev -L quick -j$(JOBS) --no-label-summary

quick-build:
	@scripts/deps
	@$(call build,dev)

check-full: check
	@scripts/deps --full
	@scripts/check-full

fuzz:
	@scripts/deps --full
	@scripts/fuzz

coverage:
	@scripts/deps --full
	@scripts/coverage

bench:
	@scripts/deps --bench
	@$(call build,release)
	@build/release/bench/hazptr-bench --rounds 5 --seconds 0.08 \
		--json build/bench.json \
		$$(command -v gnuplot > /dev/null && echo --plot build/charts)

lint:
	@status=0; \
	for check in order.py layers.py metrics.py symbols.py style.sh; do \
		scripts/check-$$check || status=1; \
	done; \
	exit $$status

install:
	@cmake --preset release -B build/install --no-warn-unused-cli \
		-DHAZPTR_WERROR=OFF \
		-DHAZPTR_BUILD_BENCH=OFF -DHAZPTR_BUILD_EXAMPLES=OFF \
		-DCMAKE_INSTALL_PREFIX="$(abspath $(PREFIX))" > /dev/null
	@$(alone) cmake --build build/install -j$(JOBS)
	@DESTDIR="$(DESTDIR)" cmake --install build/install

clean:
	rm -rf build

.PHONY: help demo check quick-build check-full coverage fuzz bench lint install clean
