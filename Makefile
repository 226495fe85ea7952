# Thin: Meson and Ninja do the work.
BUILD ?= build
FUZZ_SECONDS ?= 60

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	meson setup $(BUILD)

# Debian packages that building and testing want; nothing is asked of the network when all are there.
deps:
	packaging/install-dependencies

# Everything: unit, sim, lab (root), sanitizers, a short fuzz, both compilers, lint.
test: deps
	tests/all

test-unit: all
	meson test -C $(BUILD) --no-suite lab

test-lab: all
	meson test -C $(BUILD) --suite lab --verbose

# Random schedules of every size and every arbiter until told to stop: Ctrl-C prints what they came to.
nightly: all
	$(BUILD)/sim/haven-sim --forever --arbiter all --jobs $$(nproc)

# What Debian's ldirectord makes of our files, written down anew. It wants libdbi-perl, libdbd-mysql-perl, libdbd-pg-perl
# and libnet-inet6glue-perl besides.
ldirectord-record: deps
	tests/guest/ldirectord/record

# Takes each rule out of the brain and shows what catches that.
rules: deps
	tests/rules/run

# The clang build: fuzzers, and what the linters read the flags from.
$(BUILD)/clang/build.ninja:
	CC=clang meson setup $(BUILD)/clang -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false

clang: $(BUILD)/clang/build.ninja
	ninja -C $(BUILD)/clang

fuzz: clang
	tests/fuzz/run $(BUILD)/clang $(FUZZ_SECONDS)

lint: clang
	tests/lint $(BUILD)/clang

# A web server survives the loss of its machine under ten thousand fetches; as root.
demo: deps all
	HAVEN_BUILD=$(BUILD) demo/run

# The same, left running to play with.
demo-up: deps all
	HAVEN_BUILD=$(BUILD) demo/run up

demo-down:
	HAVEN_BUILD=$(BUILD) demo/run down

install: all
	meson install -C $(BUILD)

.PHONY: all deps ldirectord-record nightly rules test test-unit test-lab clang fuzz lint demo demo-up demo-down install
