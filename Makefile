# `make run` and `make test` work on a bare Debian or Ubuntu: scripts/install.sh brings what is missing.

# Where rustup puts cargo, ahead of a distribution's older one.
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)
# Queries are checked against .sqlx, so that building needs no database.
export SQLX_OFFLINE := true

.PHONY: run test check-release prove bench prove-sabotage early-answers fmt lint sqlx lab install

# The whole gateway, with a private Postgres and a stand-in for Fineract; Ctrl-C ends it.
# A development build: it takes half the time of a release build, and a demo needs no speed.
run: install
	cargo build --locked -p fineract-gateway -p gateway-lab
	target/debug/gateway-lab demo

# Every check that CI makes, the cheapest first.
test: install
	cargo fmt --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy --workspace --features gateway-lab/faults --locked -- -D warnings
	cargo run --locked --quiet -p private-postgres -- run --no-fsync -- scripts/test-with-database.sh
	$(MAKE) lab
	target/debug/gateway-lab prove --rounds 20 --seed 41
	RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --locked --no-deps --document-private-items
	if cargo deny --version >/dev/null 2>&1; then cargo deny check bans licenses sources; fi

# The judge: kills, stops and lies to gateways under load, and compares the books. ROUNDS=200, SEED=7.
# `test` plays rounds that are always the same; here they are new ones each time.
ROUNDS ?= 20
prove: install lab
	target/debug/gateway-lab prove --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED))

# What takes longer than `test`, before a release: the judge with new rounds, on the development build and on the release
# build; the judge judged; HTTP clients in four languages.
check-release: test
	$(MAKE) prove ROUNDS=100
	cargo build --release --locked
	GATEWAY_PROGRAM=target/release/fineract-gateway target/debug/gateway-lab prove --rounds 60
	$(MAKE) prove-sabotage early-answers

# The goals of speed, measured side by side; alone on the machine. ONLY=accept,cpu, MINUTES=30, CLIENTS=64.
bench: install
	cargo build --release --locked
	cargo build --release --locked -p gateway-lab
	target/release/gateway-lab bench $(if $(ONLY),--only $(ONLY)) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(CLIENTS),--clients $(CLIENTS))

# The judge judged: gateways that do something wrong on purpose are found out.
prove-sabotage: install lab
	scripts/prove-sabotage.sh target/debug/gateway-lab

# Whether answers that are given before a body was read arrive, for the HTTP clients that are installed here.
early-answers: install
	cargo build --locked -p fineract-gateway -p private-postgres
	scripts/early-answers.sh target/debug/fineract-gateway

fmt:
	cargo fmt

lint:
	cargo clippy --workspace --all-targets --locked -- -D warnings

# Writes .sqlx anew, after a query or a migration has changed.
sqlx:
	cargo run --locked --quiet -p private-postgres -- run --no-fsync -- scripts/sqlx-prepare.sh .sqlx

# The product as it is deployed, and beside it the lab with the gateways that obey it. Two builds: what obeys is in no
# build of the product.
lab:
	cargo build --locked
	cargo build --locked -p gateway-lab --features faults

install:
	@scripts/install.sh
