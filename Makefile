# All there is to remember. `make` lists it.

# A RUSTFLAGS of your own makes cargo ignore .cargo/config.toml, and with it the flag without which
# nothing is simulated. Even an empty one does.
ifneq ($(strip $(RUSTFLAGS)),)
export RUSTFLAGS := $(RUSTFLAGS) --cfg madsim
else
unexport RUSTFLAGS
endif

SEED ?= 1
SEEDS ?= 1..1000
ENGINE ?= madsim

# A run with a planted bug (BUG=name) needs the build that holds the bugs.
PLANTED = RUSTFLAGS="$(RUSTFLAGS) --cfg madsim --cfg planted" CARGO_TARGET_DIR=target-planted
SIMULATE = $(if $(BUG),$(PLANTED)) cargo run --release -q -p quorate-sim --

.PHONY: help run test check fix traces sim shrink sweep bugs bench

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

run: ## show three members losing their leader, then stay up (ONCE=1: stop; BASE_PORT=2379)
	@node/scripts/show.sh

test: ## run all tests, the simulated clusters among them
	cargo test --workspace

check: ## read only: format, lints, docs, and that the core needs no std
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="$(RUSTDOCFLAGS) --cfg madsim -D warnings -A rustdoc::private_intra_doc_links" \
	  cargo doc --workspace --no-deps --locked --document-private-items
	@! grep -rnE --include='*.rs' --exclude=tests.rs '(^|[^[:alnum:]_:])(std::|extern crate std)' core/src \
	  || { echo 'core/ must do without std: use core or alloc' >&2; false; }
	@grep -q '^#!\[no_std\]' core/src/lib.rs

fix: ## write: format, and what clippy can mend by itself
	cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged
	cargo fmt --all

traces: ## record the golden transcripts anew, to be reviewed like code
	INSTA_UPDATE=always cargo test -p quorate-core --test traces

sim: ## run one seed and tell its story (SEED=1 ENGINE=madsim|raw BUG=name PLAN=file HTML=out.html)
	$(SIMULATE) run $(if $(PLAN),--plan $(PLAN),--seed $(SEED)) --engine $(ENGINE) $(if $(BUG),--bug $(BUG)) $(if $(HTML),--quiet --html $(HTML))

shrink: ## take out of a failing plan what it can do without (SEED=1 | PLAN=file; BUG=name OUT=file)
	$(SIMULATE) shrink $(if $(PLAN),--plan $(PLAN),--seed $(SEED)) $(if $(BUG),--bug $(BUG)) $(if $(OUT),--out $(OUT))

sweep: ENGINE = raw
sweep: ## run many seeds (SEEDS=1..1000 ENGINE=raw|madsim BUG=name)
	$(SIMULATE) sweep --seeds $(SEEDS) --engine $(ENGINE) $(if $(BUG),--bug $(BUG))

bugs: ## build with planted bugs, find every one of them, and shrink what found it (BUG=name: only this)
	$(PLANTED) cargo run --release -q -p quorate-sim -- bugs $(if $(BUG),--bug $(BUG))

bench: ## compare with Debian's etcd (QUICK=1: two minutes instead of eighteen)
	@node/scripts/bench.sh
