# `make demo` runs the main job, `make test` the tests: both on a fresh machine with Python 3.11+ and make.
PYTHON ?= python3
# Folder with published recordings (cowley2023_v4, kriegeskorte2008) already on this disk.
DATA_DIR ?= $(patsubst %/cowley2023_v4,%,$(wildcard ../shared/data/cowley2023_v4))

.PHONY: demo test lint lock benchmark clean

# The published experiment, small, with nothing downloaded; real recordings beside it where they are on this disk.
DEMO = --configfile config/demo.yaml $(if $(DATA_DIR),config/demo_recordings.yaml --config data_dir=$(DATA_DIR))

# Many short jobs are over sooner side by side, each on one core, than one after the other on all.
demo: .venv/installed
	.venv/bin/snakemake --set-threads extract=1 gram=1 fit=1 $(DEMO)
	@echo
	@echo "Figures:           results/demo/figures/"
	@echo "Which claims hold: results/demo/claims.csv"
	@echo "Score table:       results/demo/scores.parquet"
	@echo "As a page:         .venv/bin/snakemake --report report.html $(DEMO)"

test: .venv/installed lint
	.venv/bin/python -m pytest -n 2 --dist loadfile

lint: .venv/installed
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/snakefmt --check Snakefile workflow
	.venv/bin/snakemake --lint

benchmark: .venv/installed
	.venv/bin/python benchmarks/extraction.py
	.venv/bin/python benchmarks/rendering.py
	.venv/bin/python benchmarks/training.py

# Choose the newest versions that pyproject.toml allows, for every platform and Python from 3.11.
lock: .venv/installed
	.venv/bin/python -m pip install --quiet uv
	.venv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	  --group test pyproject.toml --output-file envs/requirements.lock

clean:
	rm -rf .venv results resources .snakemake

.venv/installed: envs/requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement envs/requirements.lock
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@
