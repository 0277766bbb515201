# What can be done here. Everything that takes more than a line is in the testbed (e2e/).

TESTBED = cargo run -q -p e2e --bin testbed --
# The examples are workspaces of their own and share a directory for what is compiled.
HELLO = --manifest-path examples/hello/Cargo.toml
COMPILED = --locked --target-dir $(or $(CARGO_TARGET_DIR),target)/examples

.PHONY: help demo example env down distclean check test e2e e2e-full bench image generate run

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## From nothing to a finished workflow. PROFILE=ha, NODES=1|2|3, CONTEXT=name of a cluster of yours (REGISTRY=, IMAGE_LOAD=)
	@$(TESTBED) demo $(if $(PROFILE),--profile $(PROFILE)) $(if $(NODES),--nodes $(NODES)) $(if $(CONTEXT),--context $(CONTEXT)) \
	  $(if $(CONTEXT),$(if $(REGISTRY),--registry $(REGISTRY)) $(if $(IMAGE_LOAD),--image-load $(IMAGE_LOAD)))

example: ## Run an example again on the demo that is up, with what has changed in it: NAME=hello
	@$(TESTBED) example $(or $(NAME),hello)

env: ## Print exports for the shell: eval "$(make -s env)"
	@$(TESTBED) env

down: ## Take the testbed down; nothing stays but the caches
	@$(TESTBED) down

distclean: ## Take it down and remove the caches
	@$(TESTBED) distclean
	cargo clean

check: ## Format, lints and the tests that take seconds
	cargo fmt --all --check
	cargo fmt $(HELLO) --check
	cargo clippy -q --workspace --all-targets -- -D warnings
	cargo clippy -q $(HELLO) $(COMPILED) --all-targets -- -D warnings
	cargo test -q --workspace --lib --bins --test golden --test generated --test layers --test admission --test plan_command --test reasons --test install
	cargo test -q $(HELLO) $(COMPILED)

test: check ## Everything, the scenarios in their short form
	cargo test -q --workspace --test crash --test faults --test namespaces --test schedules --test workers --test fake_api_test --test rollout_simulation --test worker_rollout_simulation --test scale --test scaling_simulation
	@$(TESTBED) up $(if $(NODES),--nodes $(NODES))
	@$(TESTBED) build browser helm
	@$(TESTBED) images demo opensearch
	@eval "$$($(TESTBED) env)" && TEMPORAL_CLI=$$(command -v temporal) cargo test -q $(HELLO) $(COMPILED) -- --ignored
	@$(MAKE) --no-print-directory scenarios MODE=short

e2e: ## Some scenarios, on the testbed that is up: SCENARIO=part of their names
	@$(MAKE) --no-print-directory scenarios MODE=short

e2e-full: ## All scenarios in their long form
	@$(TESTBED) up $(if $(NODES),--nodes $(NODES))
	@$(TESTBED) build browser helm
	@$(TESTBED) images demo opensearch
	@$(MAKE) --no-print-directory scenarios MODE=full

# scenarios wait for each other themselves (e2e/tests/scenarios/places.rs)
THREADS = 100

.PHONY: scenarios
scenarios:
	@TEMPORAL_OPERATOR_E2E=$(MODE) cargo test --workspace --test chart --test api_server --test load --test scenarios -- $(SCENARIO) --nocapture --test-threads=$(THREADS)
	@$(if $(SCENARIO),,cargo test -q --workspace --test scenarios -- --ignored --nocapture) # what all of them did together

bench: ## What the operator costs, and its speed beside kubectl by hand; writes BENCHMARKS.md
	@$(TESTBED) bench

image: ## Make the operator's image and load it into the testbed, if that is up
	@$(TESTBED) images operator

generate: ## Write all generated files anew
	UPDATE=1 cargo test -q --workspace --test generated --test golden

run: ## Run the operator here, against the current context
	cargo run -- run
