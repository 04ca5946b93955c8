# Everything a person or the CI does with this project. "make" alone lists the targets.
#
# Needs Rust, Python 3.11 or later with its venv module, a C compiler and make, for the tests also Node; the rest comes
# from the package registries into .venv and target. Stamp files in .venv remember what is installed and built.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

PYTHON ?= python3
# The Autobahn suite's; without one, what is found.
export PYTHON2
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
LOG := data/izpochat.log
# What the benchmark compares with and pip does not install.
BENCH_TOOLS := target/bench
# Clients in JavaScript, which tests run under Node: of Socket.IO, of WebSocket, and the verifier of a media server.
CLIENTS := target/clients
MATURIN := VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/maturin

# What the extension is built from, migrations included.
NATIVE_SOURCES := pyproject.toml Cargo.toml Cargo.lock \
	$(shell find rust python -type f \( -name '*.rs' -o -name '*.toml' -o -name '*.sql' \))

.PHONY: help dev run test test-rust test-python lint fmt bench bench-churn autobahn fuzz asyncapi wheel clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

dev: $(VENV)/.extension ## Make .venv with the service in it, its extension built for speed

run: dev ## Start the service on port 8000 (PORT=...), log to the terminal and data/izpochat.log
	@mkdir -p -m 700 data
	@echo "Log of this run: $(LOG)"
	@# "exec", so that a signal for make reaches the server; tee ends when the server has said its last word.
	@exec $(BIN)/python -m chat_app.serve > >(exec tee -ia $(LOG)) 2>&1

test: lint test-rust test-python ## Check and test everything, on SQLite and on a PostgreSQL brought along

test-rust: $(VENV)/.tools ## Test the Rust crates
	@# The binding has no tests of its own in Rust: it is tested from Python.
	$(BIN)/python tests/with_services.py -- \
		cargo test --workspace --exclude izpochat_python --features chat_cluster/redis-tests,chat_database/postgres-tests,chat_relay/redis-tests,chat_storage/gcs-tests

test-python: dev $(VENV)/.tools ## Test the service through HTTP and sockets
	$(BIN)/python -m pytest

lint: dev $(VENV)/.tools ## Check formats, lints and types
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features -- -D warnings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest chat_app._native

fmt: $(VENV)/.tools ## Format all sources
	cargo fmt --all
	$(BIN)/ruff check --select I --fix .
	$(BIN)/ruff format .

bench: dev $(VENV)/.bench ## Measure the service against the fastest ones known (SCENARIOS="fan_out latency")
	$(BIN)/python tests/bench/run.py $(SCENARIOS)

bench-churn: dev $(VENV)/.bench ## Measure the memory after a million connections
	$(BIN)/python tests/bench/run.py churn_million

autobahn: $(VENV)/.pip ## Run the Autobahn suite (needs Python 2: PYTHON2=..., best a pypy), write docs/autobahn.md
	$(BIN)/python tests/autobahn/run.py

# Coverage-guided fuzzing with a stable compiler: its instrumentation without a sanitizer, and libFuzzer.
FUZZ_FLAGS := --cfg fuzzing -Cdebug-assertions -Coverflow-checks -Cpasses=sancov-module \
	$(addprefix -Cllvm-args=-sanitizer-coverage-,level=4 inline-8bit-counters pc-table trace-compares)
SECONDS ?= 60

fuzz: ## Feed one parser what reaches new code (TARGET=websocket SECONDS=60; rust/fuzz/corpus has the names)
	@test -n "$(TARGET)" || { echo "TARGET is one of:" rust/fuzz/corpus/*/ | sed 's|rust/fuzz/corpus/||g; s|/||g'; exit 2; }
	@mkdir -p target/fuzz/corpus/$(TARGET)
	@# With a target named, the flags are not for build scripts and macros.
	host=$$(rustc -vV | sed -n 's/^host: //p'); \
	RUSTFLAGS="$(FUZZ_FLAGS)" CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=2 \
		cargo build --release -p fuzz --bin fuzz --target $$host --target-dir target/fuzz; \
	FUZZ_TARGET=$(TARGET) target/fuzz/$$host/release/fuzz -max_total_time=$(SECONDS) -timeout=20 -max_len=4096 \
		-artifact_prefix=target/fuzz/$(TARGET)- target/fuzz/corpus/$(TARGET) rust/fuzz/corpus/$(TARGET)

asyncapi: ## Write docs/asyncapi.json from the types of the frames
	cargo run -p asyncapi

wheel: $(VENV)/.pip ## Build the wheel into dist/
	$(MATURIN) build --release --out dist

clean: ## Remove what was built and installed; data/ stays
	cargo clean
	rm -rf $(VENV) dist .mypy_cache .pytest_cache .ruff_cache .hypothesis chat_app/*.so
	find chat_app tests -name __pycache__ -prune -exec rm -rf {} +

# Dependency groups need a newer pip than Python 3.11 brings.
$(VENV)/.pip:
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade 'pip>=25.1' 'maturin>=1.9,<2'
	@touch $@

$(VENV)/.extension: $(VENV)/.pip $(NATIVE_SOURCES)
	$(MATURIN) develop --release
	@touch $@

$(VENV)/.tools: $(VENV)/.pip pyproject.toml
	$(PIP) install --group test --group lint
	@mkdir -p $(CLIENTS)
	npm install --silent --no-audit --no-fund --prefix $(CLIENTS) \
		socket.io-client@4.8.4 ws@8.21.3 livekit-server-sdk@2.19.2
	@# The proxies of tests/proxies, which say so if they are missing.
	-PATH=$$PATH:/usr/sbin; { command -v nginx && command -v haproxy; } > /dev/null || \
		if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
				apt-get install -y -qq --no-install-recommends nginx-light haproxy > /dev/null; \
		fi
	@touch $@

$(VENV)/.bench: $(VENV)/.pip pyproject.toml
	$(PIP) install --group bench
	@mkdir -p $(BENCH_TOOLS)
	-npm install --silent --no-audit --no-fund --prefix $(BENCH_TOOLS) bun@1.4.5 socket.io@4.8.4
	@# socketify needs a libuv, which Debian and Ubuntu have as a package that need not be installed for this.
	@# The benchmark says so if it is missing.
	-ldconfig -p | grep -q libuv.so.1 || ! command -v apt-get > /dev/null || \
		(cd $(BENCH_TOOLS) && apt-get download -q libuv1 && dpkg -x libuv1_*.deb libuv)
	@touch $@
