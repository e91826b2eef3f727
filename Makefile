# `make run` and `make test` work on a new Debian or Ubuntu, because scripts/install.sh installs what is missing.

# The folder in which rustup installs cargo comes first, because the cargo of a distribution may be older.
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)
# Queries are checked against the files in .sqlx, so a build needs no database.
export SQLX_OFFLINE := true

.PHONY: install-tests run test check-release prove bench prove-sabotage early-answers schemathesis sdk fmt lint sqlx lab install

# Runs the whole gateway, with a private Postgres and a stand-in for Fineract. Ctrl-C ends it.
# This is a development build: it takes half the time of a release build, and a demo need not be fast.
run: install
	cargo build --locked -p fineract-gateway -p gateway-lab
	target/debug/gateway-lab demo

# Runs every check of CI, the fastest first.
test: install-tests
	cargo fmt --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy --workspace --features gateway-lab/faults --locked -- -D warnings
	scripts/promtool.sh check rules deploy/prometheus/alerts.yml
	scripts/promtool.sh test rules deploy/prometheus/alerts_test.yml
	cargo run --locked --quiet -p private-postgres -- run --no-fsync -- scripts/test-with-database.sh
	$(MAKE) schemathesis sdk lab
	target/debug/gateway-lab prove --rounds 20 --seed 41
	RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --locked --no-deps --document-private-items
	if cargo deny --version >/dev/null 2>&1; then cargo deny check bans licenses sources; fi

# Tests gateways under injected faults, in random rounds, for example with ROUNDS=200 or SEED=7. `make test` always runs
# the same rounds.
ROUNDS ?= 20
prove: install lab
	target/debug/gateway-lab prove --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED))

# Runs `test` and the longer checks, before a release: new rounds of `prove` on the development build and on the release
# build, the sabotages, HTTP clients in four languages, and all phases of schemathesis.
check-release: test
	$(MAKE) prove ROUNDS=100
	cargo build --release --locked
	GATEWAY_PROGRAM=target/release/fineract-gateway target/debug/gateway-lab prove --rounds 60
	$(MAKE) prove-sabotage early-answers
	scripts/schemathesis.sh target/debug --all

# Measures the performance goals, for example with ONLY=accept,cpu, MINUTES=30 or CLIENTS=64. Run it alone on the
# machine.
bench: install
	cargo build --release --locked
	cargo build --release --locked -p gateway-lab
	target/release/gateway-lab bench $(if $(ONLY),--only $(ONLY)) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(CLIENTS),--clients $(CLIENTS))

# Tests `prove` itself: it must detect gateways that contain a deliberate error.
prove-sabotage: install lab
	scripts/prove-sabotage.sh target/debug/gateway-lab

# Checks that an answer arrives even if the gateway sends it before it has read the request's body. Uses the HTTP
# clients that are installed.
early-answers: install
	cargo build --locked -p fineract-gateway -p private-postgres
	scripts/early-answers.sh target/debug/fineract-gateway

# Checks the Python SDK against a gateway.
sdk: install-tests
	cargo build --locked -p fineract-gateway -p fineract-sandbox -p private-postgres
	scripts/sdk-python.sh

# Compares the answers of a gateway with the OpenAPI document.
schemathesis: install-tests
	cargo build --locked -p fineract-gateway -p fineract-sandbox -p private-postgres
	scripts/schemathesis.sh target/debug

fmt:
	cargo fmt

lint:
	cargo clippy --workspace --all-targets --locked -- -D warnings

# Writes .sqlx again after a change of a query or a migration.
sqlx:
	cargo run --locked --quiet -p private-postgres -- run --no-fsync -- scripts/sqlx-prepare.sh .sqlx

# Builds the product as it is deployed, and the lab with a gateway that has fault points and sabotages. These are
# separate builds, because no build of the product contains fault points.
lab:
	cargo build --locked
	cargo build --locked -p gateway-lab --features faults

install:
	@scripts/install.sh

# Also installs the browser that the tests drive, and what schemathesis needs.
install-tests:
	@scripts/install.sh --tests
