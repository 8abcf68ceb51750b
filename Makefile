# `make demo` runs the main job, `make test` the tests: both on a fresh machine with Python 3.11+ and make.
PYTHON ?= python3
# Folder with published recordings (cowley2023_v4, kriegeskorte2008) already on this disk.
DATA_DIR ?= $(patsubst %/cowley2023_v4,%,$(wildcard ../shared/data/cowley2023_v4))

.PHONY: demo test test-long test-cluster lint docs lock benchmark clean

# The published experiment, small, with nothing downloaded; real recordings beside it where they are on this disk.
RECORDINGS = dataset={cowley2023: {folder: $(DATA_DIR)}, kriegeskorte2008: {folder: $(DATA_DIR)}}
DEMO = --configfile config/demo.yaml $(if $(DATA_DIR),config/demo_recordings.yaml --config '$(RECORDINGS)')

# Many short jobs are over sooner side by side, each on one core, than one after the other on all.
demo: .venv/installed
	.venv/bin/snakemake --set-threads extract=1 gram=1 fit=1 decode=1 decode_areas=1 $(DEMO)

# Long files first, so that all workers end together; three, as runs of the workflow wait in between.
test: .venv/installed lint
	.venv/bin/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder tests/workflow tests/unit

# A quarter of an hour: jobs that are killed, whole experiments, and published recordings, in ../shared/data or the folder
# that VENTRAL_DATA names; without these, their tests are skipped.
test-long: .venv/installed
	.venv/bin/python -m pytest -n 2 --dist loadfile tests/long

# Half an hour. As root on Debian or Ubuntu, where what is missing is installed: a SLURM cluster on this machine alone, for
# as long as the tests take, and a browser. Elsewhere tests are skipped, and say why.
test-cluster: .venv/installed
	-tests/cluster/packages.sh chromium chromium-driver
	.venv/bin/python -m pytest tests/cluster -ra

lint: .venv/installed
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/snakefmt --check Snakefile workflow
	.venv/bin/snakemake --lint

# Warnings are errors, broken links among them. No network is needed once docs/.venv is there.
docs: docs/.venv/installed
	docs/.venv/bin/python -m sphinx --quiet --builder html --fail-on-warning --keep-going docs docs/_build
	@echo "Documentation: docs/_build/index.html"

# About five hours, and 40 GB of disk for a while. docs/benchmarks.md is made from benchmarks/results.json, and
# docs/how_we_know.md from the other files there.
benchmark: .venv/installed benchmarks/.venv/installed
	.venv/bin/python benchmarks/extraction.py
	.venv/bin/python benchmarks/batch_differences.py
	.venv/bin/python benchmarks/rendering.py
	.venv/bin/python benchmarks/training.py
	.venv/bin/python benchmarks/sounds.py
	.venv/bin/python benchmarks/time_bins.py
	.venv/bin/python benchmarks/engine.py --long $(if $(DATA_DIR),--data-dir $(DATA_DIR))
	.venv/bin/python benchmarks/scale.py
	.venv/bin/python benchmarks/start_up.py
	.venv/bin/python benchmarks/how_we_know.py --simulate --experiments 1000
	.venv/bin/python benchmarks/cost.py benchmarks/results.json docs/cost.svg
	.venv/bin/python benchmarks/table.py

# Choose the newest versions that pyproject.toml allows, for every platform and Python from 3.11; conda environments of them.
lock: .venv/installed
	.venv/bin/python -m pip install --quiet uv
	.venv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	  --all-extras --group test pyproject.toml --output-file envs/requirements.lock
	.venv/bin/python envs/generate.py

clean:
	rm -rf .venv benchmarks/.venv docs/.venv docs/_build results resources .snakemake

# Sphinx apart from the workflow's own environment, whose packages it sees after its own: docstrings are read by import.
docs/.venv/installed: docs/requirements.txt .venv/installed
	.venv/bin/python -m venv docs/.venv
	docs/.venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement docs/requirements.txt
	.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
	  > $$(docs/.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/ventral.pth
	touch $@

# What ventral is measured against, apart from its own environment, and in two: their NumPys differ.
benchmarks/.venv/installed: benchmarks/peers.txt benchmarks/brainscore.txt
	$(PYTHON) -m venv benchmarks/.venv/peers
	benchmarks/.venv/peers/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/peers.txt
	$(PYTHON) -m venv benchmarks/.venv/brainscore
	benchmarks/.venv/brainscore/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  --requirement benchmarks/brainscore.txt
	touch $@

.venv/installed: envs/requirements.lock envs/no_deps.txt pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement envs/requirements.lock
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement envs/no_deps.txt
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@
