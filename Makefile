# What a reader of this repository runs. Needs Linux, bash, make and a Python 3.11 or 3.12; brings the rest.
SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help setup reproduce evidence verify test test-all test-cluster container image benchmark lint

PROFILE ?= $(shell sed -n 's/^profile: *//p' params/default.yaml)
UV_VERSION := 0.13.8
UV := $(shell uv --version > /dev/null 2>&1 && echo uv || echo .uv/bin/uv)
RUN := $(UV) run --no-sync
EXTRA := $(shell nvidia-smi -L > /dev/null 2>&1 && echo --extra cuda12)
DOCKER ?= docker
SNAKEMAKE = $(RUN) snakemake --cores all --config profile=$(PROFILE)

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: $(filter .uv/bin/uv,$(UV)) ## the environment of uv.lock in .venv, with CUDA where there is an NVIDIA GPU
	$(UV) sync --frozen --quiet $(EXTRA)

reproduce: setup ## train, evaluate and report what is missing of a profile [PROFILE=quick]
	$(SNAKEMAKE)
	@echo "See artifacts/$(PROFILE)/report/index.html"

HOURS ?= 1
evidence: setup ## train what tells most for its time, for some hours, then rebuild the results [PROFILE=quick HOURS=1]
	$(RUN) gpae evidence --profile $(PROFILE) --hours $(HOURS)
	$(SNAKEMAKE) jobs=finished --forcerun aggregate

verify: setup ## rebuild tables, figures, verdicts and report from the evaluations in git, without training [PROFILE=quick]
	$(SNAKEMAKE) jobs=finished --forcerun aggregate
	@if git ls-files --error-unmatch artifacts/$(PROFILE) > /dev/null 2>&1; then \
	  git diff --stat --exit-code -- artifacts/$(PROFILE) \
	    && echo "Every file is rebuilt with the bytes that git keeps." || echo "These files differ from those in git."; \
	fi
	@echo "See artifacts/$(PROFILE)/report/index.html"

test: setup ## the tests that take minutes
	$(RUN) pytest -n auto --dist loadfile --no-loadscope-reorder -m "not slow" --durations 12

test-all: setup ## every test
	$(RUN) pytest -n auto --dist loadfile --no-loadscope-reorder

test-cluster: setup ## a run through a Slurm of one node, two of its jobs taken away; needs slurm-wlm and munge
	$(RUN) pytest tests/pipeline/test_slurm.py

container: container/gpae.sif ## the image for snakemake --use-singularity; needs Apptainer [VARIANT=cuda12]

VARIANT ?= $(if $(EXTRA),cuda12,cpu)
container/gpae.sif: container/gpae.def container/install.sh uv.lock
	apptainer build --force --build-arg VARIANT=$(VARIANT) $(BUILD) $@ $<

image: ## the same for Docker, Podman and Kubernetes
	$(DOCKER) build --file container/Dockerfile --build-arg COMMIT=$$(git rev-parse HEAD) \
	  --build-arg VARIANT=$(VARIANT) $(BUILD) --tag gpae:$(VARIANT) .

benchmark: setup ## speed on this machine, beside JaxMARL's
	$(RUN) python -m benchmarks

lint: setup ## style of the code and of the workflow
	$(RUN) ruff check
	$(RUN) snakemake --lint

# pip puts one binary here. Where the system's Python comes without pip, its wheel from PyPI is run as it is.
PIP := pip-24.3.1-py3-none-any.whl
FIND_PIP := import re, urllib.request as r; page = r.urlopen("https://pypi.org/simple/pip/").read().decode(); \
  r.urlretrieve(re.search(r"https://[^\s\"]*/$(PIP)", page)[0], ".uv/$(PIP)")
.uv/bin/uv:
	mkdir -p .uv
	pip=(-m pip); python3 -m pip --version > /dev/null 2>&1 || { pip=(.uv/$(PIP)/pip); python3 -c '$(FIND_PIP)'; } \
	  && PIP_ROOT_USER_ACTION=ignore python3 "$${pip[@]}" install --quiet --upgrade --target .uv uv==$(UV_VERSION)
