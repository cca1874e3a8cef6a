# OmniLab: `make help` lists the targets. Variables: PROFILE=smoke|laptop|gpu|paper  ONLY=<experiment>  SEEDS=<n>  JOBS=<n>  DEVICE=cpu|webgpu|cuda:0
PROFILE ?= laptop
ONLY ?=
SEEDS ?=
JOBS ?=
DEVICE ?= cpu
NODE ?= node
OMNILAB = $(NODE) dist/lib/cli/main.js
# npm and what it starts use the same Node.
ifneq ($(findstring /,$(NODE)),)
export PATH := $(dir $(abspath $(NODE))):$(PATH)
endif

.PHONY: help node setup build reproduce smoke test notebook kernel bench lint doctor clean
.DEFAULT_GOAL := help

help: ## List the targets
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Node itself: what to do where it is absent or too old. (The check is written for any Node that ever was.)
node:
	@command -v $(NODE) >/dev/null 2>&1 || { echo "OmniLab needs Node 20.19 or later, and there is no '$(NODE)' on the PATH."; \
	  echo "help: install it from https://nodejs.org, or say where it is: make NODE=/path/to/node"; exit 1; } >&2
	@$(NODE) -e 'var v = process.versions.node.split("."); process.exit(v[0] > 20 || (v[0] == 20 && v[1] > 18) ? 0 : 1)' || { \
	  echo "OmniLab needs Node 20.19 or later, and this is Node $$($(NODE) --version)."; \
	  echo "help: install a newer one from https://nodejs.org, or say where it is: make NODE=/path/to/node"; exit 1; } >&2
	@command -v npm >/dev/null 2>&1 || { echo "OmniLab needs npm, and there is none on the PATH."; \
	  echo "help: it comes with Node from https://nodejs.org; some systems have it as a package of its own (npm)"; exit 1; } >&2

node_modules/.omnilab-installed: package-lock.json package.json | node
	@npm ci --no-fund --no-audit --loglevel=error
	@touch $@

build: node node_modules/.omnilab-installed
	@npm run --silent build

setup: build ## Install the packages (npm only) and compile
	@echo "set up: try 'make doctor', 'make reproduce' or 'make notebook'"

reproduce: build ## Train, evaluate and draw everything (PROFILE=smoke for a few minutes' version)
	@$(OMNILAB) reproduce --profile $(PROFILE) --device $(DEVICE) $(if $(ONLY),--only $(ONLY)) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(JOBS),--jobs $(JOBS))

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

lint: node node_modules/.omnilab-installed ## ESLint and Prettier
	@npm run --silent lint

doctor: build ## What this machine has, what is missing, and what to do about it
	@$(OMNILAB) doctor

clean: ## Remove what was built (not runs/ and figures/)
	@rm -rf dist node_modules/.omnilab-installed
