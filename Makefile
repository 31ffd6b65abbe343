# What a reader of this repository runs. Needs Linux, bash, make and a Python 3.11 or 3.12; brings the rest.
SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help setup reproduce evidence verify test test-all test-cluster container image benchmark lint

PROFILE ?= $(shell sed -n "/^profile:/{s/^profile: *//;s/ *\#.*//;s/ *$$//;s/[\"']//g;p}" params/default.yaml)
# A name, before any recipe hands it to a shell: what is left of it without the characters of one.
LEFT := $(if $(filter file default,$(origin PROFILE)),$(PROFILE),$(value PROFILE))
PROFILE_GIVEN := $(LEFT)
$(foreach c,a b c d e f g h i j k l m n o p q r s t u v w x y z 0 1 2 3 4 5 6 7 8 9 _,$(eval LEFT := $$(subst $c,,$$(LEFT))))
ifneq ($(LEFT)$(if $(PROFILE_GIVEN),,empty),)
  $(error PROFILE (else params/default.yaml): "$(PROFILE_GIVEN)" is not a name; allowed: lower-case letters, digits and underscores)
endif
UV_VERSION := 0.13.8
UV := $(shell uv --version > /dev/null 2>&1 && echo uv || echo .uv/bin/uv)
RUN := $(UV) run --no-sync
EXTRA := $(shell nvidia-smi -L > /dev/null 2>&1 && echo --extra cuda12)
DOCKER ?= docker
export PYTHONUTF8 := 1
# Snakemake and uv keep things below a home, which some containers and clusters do not let them write to.
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)
ifeq ($(shell mkdir -p "$(CACHE)" 2> /dev/null && test -w "$(CACHE)" && echo yes),)
export XDG_CACHE_HOME := $(CURDIR)/.cache
endif
SNAKEMAKE = $(RUN) snakemake --cores all --config profile=$(PROFILE)

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: $(filter .uv/bin/uv,$(UV)) ## the environment of uv.lock in .venv, with CUDA where there is an NVIDIA GPU
	$(UV) sync --frozen --quiet $(EXTRA)
	@install -d -m 700 .cache/dvc  # DVC itself would make it writable by everybody

reproduce: setup ## train, evaluate and report what is missing of a profile [PROFILE=quick]
	$(SNAKEMAKE)
	@echo "See artifacts/$(PROFILE)/report/index.html"

HOURS ?= 1
evidence: setup ## train what tells most for its time, for some hours, then rebuild the results [PROFILE=quick HOURS=1]
	$(RUN) gpae evidence --profile $(PROFILE) --hours $(HOURS)
	$(SNAKEMAKE) jobs=finished --forcerun aggregate

verify: setup ## rebuild a profile's results without training and compare every byte with git, or the manifest [PROFILE=quick]
	$(RUN) gpae rebuild --profile $(PROFILE)

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

# pip puts one binary here, of a digest that is known. Where the system's Python comes without pip, its wheel from PyPI is
# run as it is. A new UV_VERSION needs the digests of its wheels for Linux, as https://pypi.org/simple/uv/ has them.
UV_DIGESTS := \
  0ec33661a14e38dea8dfb18167d2a4a5c7fe3d476c62dd8eb6acf5f378727201 \
  0b3e8b1a4f5e405e31e2ff33de8af4744831e9f7338539671efbd8c3c94e791d \
  9cf0b7b12f13da6ab1c85694ab618d97a2bbd0c904cdea7f0172fb1dd768b9d5 \
  86f1319f851e645bc295bb921e6be19beae7e69216c75ae809010ca7817393aa \
  5ace7ec339798aca31be51a75fa7c1544fe84e02fadd17a9fa3324813bbaf237 \
  6999618363d03a0a085a9491db319e00b461dbda205db06ef1fd55dfcbf6472b \
  13050c64530a1ccfc223af0306a8152d41c0d36ea63bc19161221ca65dfe480a \
  e18a57b8b352eb7c8feb317b9f6f533c8f0ad9673fd6cf34bbe3cf1a9f6a8984 \
  5337c30bb893b4f9ce0ceb921ba2da0d13f649da644f40ad3bef84083bef0203 \
  bfcaada3989c7716ad4b58673cd1413fad4fdc6b2e446f9553db0ef18da20850 \
  b26fe533dc6153787e40443b7d9428ed41349127bff36a954ec82c48be01ded9 \
  63d807451e63c8d21b1b33c945af16438ac9d8ffddc59b31ce69c692135891f5 \
  29451c60f5e8b07403e0a175d5229efc36b0289b34143ff4aaa499a5dd52553a
PIP := pip-24.3.1-py3-none-any.whl
PIP_DIGEST := 3790624780082365f47549d032f3770eeb2b1e8bd1f7b2e02dace1afa361b4ed
FIND_PIP := import hashlib, re, sys, urllib.request as r; page = r.urlopen("https://pypi.org/simple/pip/").read().decode(); \
  wheel = r.urlopen(re.search(r"https://[^\s\"]*/$(PIP)", page)[0]).read(); \
  hashlib.sha256(wheel).hexdigest() == "$(PIP_DIGEST)" or sys.exit("$(PIP): not the file of that digest"); \
  open(".uv/$(PIP)", "wb").write(wheel)
.uv/bin/uv:
	mkdir -p .uv
	pip=(-m pip); python3 -m pip --version > /dev/null 2>&1 || { pip=(.uv/$(PIP)/pip); python3 -c '$(FIND_PIP)'; } \
	  && PIP_ROOT_USER_ACTION=ignore python3 "$${pip[@]}" install --quiet --upgrade --target .uv --only-binary :all: \
	    --require-hashes --requirement <(echo uv==$(UV_VERSION) $(UV_DIGESTS:%=--hash=sha256:%))
