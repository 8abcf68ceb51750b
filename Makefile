# `make demo` runs the main job, `make test` the tests: both on a fresh machine with Python 3.11+ and make.
PYTHON ?= python3
# Published recordings already on this disk; without them they are downloaded.
DATA_DIR ?= $(wildcard ../shared/data/cowley2023_v4)

.PHONY: demo test lint lock benchmark clean

demo: .venv/installed
	.venv/bin/snakemake --configfile config/demo.yaml $(if $(DATA_DIR),--config data_dir=$(DATA_DIR))
	@echo
	@echo "Figures:     results/demo/figures/"
	@echo "Score table: results/demo/scores.parquet"
	@echo "As a page:   .venv/bin/snakemake --configfile config/demo.yaml$(if $(DATA_DIR), --config data_dir=$(DATA_DIR)) --report report.html"

test: .venv/installed lint
	.venv/bin/python -m pytest -n 2 --dist loadgroup

lint: .venv/installed
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/snakefmt --check Snakefile workflow
	.venv/bin/snakemake --lint

benchmark: .venv/installed
	.venv/bin/python benchmarks/extraction.py

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
