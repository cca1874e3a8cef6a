# OmniLab: `make help` lists the targets. Variables: PROFILE=smoke|laptop|gpu|paper  ONLY=<experiment>  SEEDS=<n>  DEVICE=cpu|webgpu|cuda:0
PROFILE ?= laptop
ONLY ?=
SEEDS ?=
DEVICE ?= cpu
NODE ?= node
OMNILAB = $(NODE) dist/lib/cli/main.js

.PHONY: help setup build reproduce smoke test notebook kernel bench lint doctor clean
.DEFAULT_GOAL := help

help: ## List the targets
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

node_modules/.omnilab-installed: package-lock.json package.json
	@npm ci --no-fund --no-audit --loglevel=error
	@touch $@

build: node_modules/.omnilab-installed
	@npm run --silent build

setup: build ## Install the packages (npm only) and compile
	@echo "set up: try 'make doctor', 'make reproduce' or 'make notebook'"

reproduce: build ## Train, evaluate and draw everything (PROFILE=smoke for a few minutes' version)
	@$(OMNILAB) reproduce --profile $(PROFILE) --device $(DEVICE) $(if $(ONLY),--only $(ONLY)) $(if $(SEEDS),--seeds $(SEEDS))

smoke: ## reproduce with PROFILE=smoke
	@$(MAKE) --no-print-directory reproduce PROFILE=smoke

test: build ## Run the tests
	@npm test --silent

notebook: build ## Open the notebooks in JupyterLab (needs Python's jupyterlab)
	@$(OMNILAB) notebook

kernel: build ## Install the kernelspec for your user, so that any Jupyter finds it
	@$(OMNILAB) kernel install

bench: build ## Measure training, generation, memory and start-up (beside PyTorch where present)
	@npm run --silent bench

lint: node_modules/.omnilab-installed ## ESLint and Prettier
	@npm run --silent lint

doctor: build ## What this machine has, what is missing, and what to do about it
	@$(OMNILAB) doctor

clean: ## Remove what was built (not runs/ and figures/)
	@rm -rf dist node_modules/.omnilab-installed
