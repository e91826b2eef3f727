# `make run` and `make test` work on a bare Debian or Ubuntu: scripts/install.sh brings what is missing.

# Where rustup puts cargo, ahead of a distribution's older one.
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)
# Queries are checked against .sqlx, so that building needs no database.
export SQLX_OFFLINE := true

.PHONY: run test prove bench prove-sabotage early-answers fmt lint sqlx install

# The whole gateway, with a private Postgres and a stand-in for Fineract; Ctrl-C ends it.
run: install
	cargo build --release --locked
	cargo run --release --locked --quiet -- demo

# Every check that CI makes, the cheapest first.
test: install
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	cargo run --locked --quiet -- postgres run --no-fsync -- scripts/test-with-database.sh
	cargo run --locked --quiet -- prove --rounds 20 --seed 41
	RUSTDOCFLAGS=-Dwarnings cargo doc --locked --no-deps --document-private-items
	if cargo deny --version >/dev/null 2>&1; then cargo deny check bans licenses sources; fi

# The judge: kills, stops and lies to gateways under load, and compares the books. ROUNDS=200, SEED=7.
# `test` plays rounds that are always the same; here they are new ones each time.
ROUNDS ?= 20
prove: install
	cargo build --locked
	target/debug/fineract-gateway prove --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED))

# The goals of speed, measured side by side; alone on the machine. ONLY=accept,cpu, MINUTES=30, CLIENTS=64.
bench: install
	cargo build --release --locked
	target/release/fineract-gateway bench $(if $(ONLY),--only $(ONLY)) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(CLIENTS),--clients $(CLIENTS))

# The judge judged: gateways that do something wrong on purpose are found out.
prove-sabotage: install
	cargo build --locked --features sabotage
	scripts/prove-sabotage.sh target/debug/fineract-gateway

# Whether answers that are given before a body was read arrive, for the HTTP clients that are installed here.
early-answers: install
	cargo build --locked
	scripts/early-answers.sh target/debug/fineract-gateway

fmt:
	cargo fmt

lint:
	cargo clippy --all-targets --locked -- -D warnings

# Writes .sqlx anew, after a query or a migration has changed. The binary only brings the private
# Postgres, so the last one that compiled will do.
sqlx:
	cargo build --locked || test -x target/debug/fineract-gateway
	target/debug/fineract-gateway postgres run --no-fsync -- scripts/sqlx-prepare.sh .sqlx

install:
	@scripts/install.sh
