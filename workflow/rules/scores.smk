rule fit:
    input:
        gram=gram_of,
        recording="<results>/recordings/{recording}.zarr",
        stimuli=stimuli_of,
    output:
        scores="<results>/scores/{recording}/{model}.parquet",
        bootstraps="<results>/bootstraps/{recording}/{model}.parquet",
    log:
        "<logs>/scores/{recording}/{model}.log",
    benchmark:
        "<benchmarks>/scores/{recording}/{model}.tsv"
    conda:
        "../../envs/ventral.yaml"
    threads: 8
    resources:
        # Where tasks run, not what: a change of it makes nothing anew.
        dask=settings["dask"],
        mem_mb=8000,
        runtime=240,
    params:
        mappings=settings["mappings"],
        components=settings["components"],
        rsa=as_json(settings["rsa"]),
        splits=lambda wildcards: settings["recordings"][wildcards.recording]["splits"],
        folds=settings["folds"],
        penalties=as_json(penalty_grid(settings["penalties"])),
        seed=settings["seed"],
        bootstrap=settings["bootstrap"],
        threshold=settings["reliability_threshold"],
    shell:
        "python -m ventral fit {input.gram:q} {input.recording:q} {input.stimuli:q} --mappings {params.mappings} "
        "--components {params.components} "
        "--rsa {params.rsa:q} "
        "--splits {params.splits} "
        "--folds {params.folds} --penalties {params.penalties:q} --seed {params.seed} --cores {threads} --dask {resources.dask:q} "
        "--bootstrap {params.bootstrap} --reliability-threshold {params.threshold} "
        "--output {output.scores:q} --bootstraps {output.bootstraps:q} --log {log:q}"


rule factorise:
    input:
        shards=activations_of,
        recording="<results>/recordings/{recording}.zarr",
        stimuli=stimuli_of,
    output:
        "<results>/factorised/{recording}/{model}.parquet",
    log:
        "<logs>/factorised/{recording}/{model}.log",
    benchmark:
        "<benchmarks>/factorised/{recording}/{model}.tsv"
    conda:
        "../../envs/ventral.yaml"
    threads: 8
    resources:
        # Where tasks run, not what: a change of it makes nothing anew.
        dask=settings["dask"],
        mem_mb=8000,
        runtime=240,
    params:
        splits=lambda wildcards: settings["recordings"][wildcards.recording]["splits"],
        folds=settings["folds"],
        seed=settings["seed"],
    shell:
        "python -m ventral factorise {input.shards:q} --recording {input.recording:q} --stimuli {input.stimuli:q} "
        "--splits {params.splits} --folds {params.folds} --seed {params.seed} --cores {threads} --dask {resources.dask:q} "
        "--output {output:q} --log {log:q}"


rule banded:
    input:
        gram=gram_of,
        recording="<results>/recordings/{recording}.zarr",
        stimuli=stimuli_of,
    output:
        "<results>/banded/{recording}/{model}.parquet",
    log:
        "<logs>/banded/{recording}/{model}.log",
    benchmark:
        "<benchmarks>/banded/{recording}/{model}.tsv"
    conda:
        "../../envs/ventral.yaml"
    threads: 8
    resources:
        # Where tasks run, not what: a change of it makes nothing anew.
        dask=settings["dask"],
        mem_mb=8000,
        runtime=240,
    params:
        layers=lambda wildcards: as_json(settings["banded"][wildcards.model]),
        splits=lambda wildcards: settings["recordings"][wildcards.recording]["splits"],
        folds=settings["folds"],
        penalties=as_json(penalty_grid(settings["penalties"])),
        seed=settings["seed"],
    shell:
        "python -m ventral banded {input.gram:q} {input.recording:q} {input.stimuli:q} --layers {params.layers:q} "
        "--splits {params.splits} --folds {params.folds} --penalties {params.penalties:q} --seed {params.seed} "
        "--cores {threads} --dask {resources.dask:q} --output {output:q} --log {log:q}"


rule contributions:
    input:
        [f"<results>/banded/{recording}/{model}.parquet" for recording, model in BANDED],
    output:
        report(
            "<results>/banded.csv",
            caption="../report/banded.rst",
            category="Tables",
            labels={"table": "What layers add to each other"},
        ),
    log:
        "<logs>/contributions.log",
    conda:
        "../../envs/ventral.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        threshold=settings["reliability_threshold"],
    shell:
        "python -m ventral contributions {input:q} --reliability-threshold {params.threshold} "
        "--output {output:q} --log {log:q}"


rule brainscore:
    input:
        grams=lambda wildcards: expand(
            "<results>/grams/{model}/{stimuli}.zarr",
            model=models_of(settings, wildcards.recording),
            stimuli=settings["recordings"][wildcards.recording]["stimuli"],
        ),
        recording="<results>/recordings/{recording}.zarr",
        stimuli=stimuli_of,
    output:
        report(
            "<results>/brainscore/{recording}.csv",
            caption="../report/brainscore.rst",
            category="Tables",
            labels={"table": "As Brain-Score scores {recording}"},
        ),
    log:
        "<logs>/brainscore/{recording}.log",
    conda:
        "../../envs/ventral.yaml"
    resources:
        mem_mb=8000,
        runtime=240,
    shell:
        "python -m ventral brainscore {input.grams:q} --recording {input.recording:q} --stimuli {input.stimuli:q} "
        "--output {output:q} --log {log:q}"


rule join:
    input:
        [
            f"<results>/scores/{recording}/{model}.parquet"
            for recording in settings["recordings"]
            for model in models_of(settings, recording) + recorded_models_of(settings, recording)
        ],
        [f"<results>/factorised/{recording}/{model}.parquet" for recording, model in FACTORISED],
        [f"<results>/banded/{recording}/{model}.parquet" for recording, model in BANDED],
    output:
        report("<results>/scores.parquet", caption="../report/scores.rst", category="Tables"),
    log:
        "<logs>/join.log",
    conda:
        "../../envs/ventral.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    shell:
        "python -m ventral join {input:q} --output {output:q} --log {log:q}"


rule best_layers:
    input:
        "<results>/scores.parquet",
    output:
        report(
            "<results>/best_layers.csv",
            caption="../report/best_layers.rst",
            category="Tables",
            labels={"table": "Best layers"},
        ),
    log:
        "<logs>/best_layers.log",
    conda:
        "../../envs/ventral.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        threshold=settings["reliability_threshold"],
        seed=settings["seed"],
    shell:
        "python -m ventral best_layers {input:q} --reliability-threshold {params.threshold} --seed {params.seed} "
        "--output {output:q} --log {log:q}"


rule compare:
    input:
        bootstraps=[f"<results>/bootstraps/{recording}/{model}.parquet" for recording, model in RESAMPLED],
        best_layers="<results>/best_layers.csv",
    output:
        report(
            "<results>/comparisons.csv",
            caption="../report/comparisons.rst",
            category="Tables",
            labels={"table": "Which layers and models differ"},
        ),
    log:
        "<logs>/comparisons.log",
    conda:
        "../../envs/ventral.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    shell:
        "python -m ventral compare {input.bootstraps:q} --best-layers {input.best_layers:q} "
        "--output {output:q} --log {log:q}"


rule reverse:
    input:
        areas=lambda wildcards: areas_of(wildcards.recording),
        gram=gram_of,
        stimuli=stimuli_of,
    output:
        "<results>/reverse/{recording}/{model}.parquet",
    log:
        "<logs>/reverse/{recording}/{model}.log",
    benchmark:
        "<benchmarks>/reverse/{recording}/{model}.tsv"
    conda:
        "../../envs/ventral.yaml"
    threads: 8
    resources:
        # Where tasks run, not what: a change of it makes nothing anew.
        dask=settings["dask"],
        mem_mb=8000,
        runtime=240,
    params:
        splits=lambda wildcards: settings["recordings"][wildcards.recording]["splits"],
        folds=settings["folds"],
        penalties=as_json(penalty_grid(settings["penalties"])),
        seed=settings["seed"],
    shell:
        "python -m ventral reverse {input.areas:q} {input.gram:q} {input.stimuli:q} --splits {params.splits} "
        "--folds {params.folds} --penalties {params.penalties:q} --seed {params.seed} --cores {threads} --dask {resources.dask:q} "
        "--output {output:q} --log {log:q}"


rule selectivity:
    input:
        stimuli=lambda wildcards: f"<results>/stimuli/{settings['unseen']['stimuli']}.zarr",
        grams=lambda wildcards: expand(
            "<results>/grams/{model}/{stimuli}.zarr",
            model=settings["unseen"]["models"],
            stimuli=settings["unseen"]["stimuli"],
        ),
    output:
        "<results>/selectivity.csv",
    log:
        "<logs>/selectivity.log",
    conda:
        "../../envs/ventral.yaml"
    resources:
        mem_mb=8000,
        runtime=120,
    params:
        category=lambda wildcards: settings["unseen"]["category"],
        folds=settings["folds"],
        seed=settings["seed"],
    shell:
        "python -m ventral selectivity {input.grams:q} --stimuli {input.stimuli:q} --category {params.category:q} "
        "--folds {params.folds} --seed {params.seed} --output {output:q} --log {log:q}"
