rule fit:
    input:
        gram=gram_of,
        recording="<results>/recordings/{recording}.zarr",
        stimuli=stimuli_of,
    output:
        scores="<results>/scores/{recording}/{model}.parquet",
        bootstraps="<results>/bootstraps/{recording}/{model}.parquet",
        provenance="<provenance>/scores/{recording}/{model}.json",
    log:
        "<logs>/scores/{recording}/{model}.log",
    benchmark:
        "<benchmarks>/scores/{recording}/{model}.tsv"
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    threads: 8
    resources:
        # Where tasks run, not what: a change of it makes nothing anew.
        dask=settings["dask"],
        mem_mb=scaled(8000),
        runtime=scaled(240),
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
        "--output {output.scores:q} --bootstraps {output.bootstraps:q} --provenance {output.provenance:q} --log {log:q}"


rule factorise:
    input:
        parts=activations_of,
        recording="<results>/recordings/{recording}.zarr",
        stimuli=stimuli_of,
    output:
        table="<results>/factorised/{recording}/{model}.parquet",
        provenance="<provenance>/factorised/{recording}/{model}.json",
    log:
        "<logs>/factorised/{recording}/{model}.log",
    benchmark:
        "<benchmarks>/factorised/{recording}/{model}.tsv"
    # As for `gram`.
    priority: 1
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    threads: 8
    resources:
        # Where tasks run, not what: a change of it makes nothing anew.
        dask=settings["dask"],
        mem_mb=scaled(8000),
        runtime=scaled(240),
    params:
        splits=lambda wildcards: settings["recordings"][wildcards.recording]["splits"],
        folds=settings["folds"],
        seed=settings["seed"],
    shell:
        "python -m ventral factorise {input.parts:q} --recording {input.recording:q} --stimuli {input.stimuli:q} "
        "--splits {params.splits} --folds {params.folds} --seed {params.seed} --cores {threads} --dask {resources.dask:q} "
        "--output {output.table:q} --provenance {output.provenance:q} --log {log:q}"


rule banded:
    input:
        gram=gram_of,
        recording="<results>/recordings/{recording}.zarr",
        stimuli=stimuli_of,
    output:
        table="<results>/banded/{recording}/{model}.parquet",
        provenance="<provenance>/banded/{recording}/{model}.json",
    log:
        "<logs>/banded/{recording}/{model}.log",
    benchmark:
        "<benchmarks>/banded/{recording}/{model}.tsv"
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    threads: 8
    resources:
        # Where tasks run, not what: a change of it makes nothing anew.
        dask=settings["dask"],
        mem_mb=scaled(8000),
        runtime=scaled(240),
    params:
        layers=lambda wildcards: as_json(settings["banded"][wildcards.model]),
        splits=lambda wildcards: settings["recordings"][wildcards.recording]["splits"],
        folds=settings["folds"],
        penalties=as_json(penalty_grid(settings["penalties"])),
        seed=settings["seed"],
    shell:
        "python -m ventral banded {input.gram:q} {input.recording:q} {input.stimuli:q} --layers {params.layers:q} "
        "--splits {params.splits} --folds {params.folds} --penalties {params.penalties:q} --seed {params.seed} "
        "--cores {threads} --dask {resources.dask:q} --output {output.table:q} --provenance {output.provenance:q} --log {log:q}"


rule contributions:
    input:
        [f"<results>/banded/{recording}/{model}.parquet" for recording, model in BANDED],
    output:
        table=report(
            "<results>/banded.csv",
            caption="../report/banded.rst",
            category="Tables",
            labels={"table": "What layers add to each other"},
        ),
        provenance="<provenance>/contributions.json",
    log:
        "<logs>/contributions.log",
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(60),
    params:
        tables=lambda wildcards, input: in_braces(input),
        threshold=settings["reliability_threshold"],
        bootstrap=settings["bootstrap"],
        seed=settings["seed"],
    shell:
        "python -m ventral contributions {params.tables} --reliability-threshold {params.threshold} "
        "--bootstrap {params.bootstrap} --seed {params.seed} "
        "--output {output.table:q} --provenance {output.provenance:q} --log {log:q}"


rule brainscore:
    input:
        grams=lambda wildcards: expand(
            "<results>/grams/{model}/{stimuli}.zarr.zip",
            model=models_of(settings, wildcards.recording),
            stimuli=settings["recordings"][wildcards.recording]["stimuli"],
        ),
        recording="<results>/recordings/{recording}.zarr",
        stimuli=stimuli_of,
    output:
        table=report(
            "<results>/brainscore/{recording}.csv",
            caption="../report/brainscore.rst",
            category="Tables",
            labels={"table": "As Brain-Score scores {recording}"},
        ),
        provenance="<provenance>/brainscore/{recording}.json",
    log:
        "<logs>/brainscore/{recording}.log",
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(8000),
        runtime=scaled(240),
    shell:
        "python -m ventral brainscore {input.grams:q} --recording {input.recording:q} --stimuli {input.stimuli:q} "
        "--output {output.table:q} --provenance {output.provenance:q} --log {log:q}"


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
        table=report("<results>/scores.parquet", caption="../report/scores.rst", category="Tables"),
        provenance="<provenance>/join.json",
    log:
        "<logs>/join.log",
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(60),
    params:
        tables=lambda wildcards, input: in_braces(input),
    shell:
        "python -m ventral join {params.tables} --output {output.table:q} --provenance {output.provenance:q} --log {log:q}"


rule best_layers:
    input:
        "<results>/scores.parquet",
    output:
        table=report(
            "<results>/best_layers.csv",
            caption="../report/best_layers.rst",
            category="Tables",
            labels={"table": "Best layers"},
        ),
        provenance="<provenance>/best_layers.json",
    log:
        "<logs>/best_layers.log",
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(60),
    params:
        threshold=settings["reliability_threshold"],
        seed=settings["seed"],
    shell:
        "python -m ventral best_layers {input:q} --reliability-threshold {params.threshold} --seed {params.seed} "
        "--output {output.table:q} --provenance {output.provenance:q} --log {log:q}"


rule compare:
    input:
        bootstraps=[f"<results>/bootstraps/{recording}/{model}.parquet" for recording, model in RESAMPLED],
        best_layers="<results>/best_layers.csv",
    output:
        table=report(
            "<results>/comparisons.csv",
            caption="../report/comparisons.rst",
            category="Tables",
            labels={"table": "Which layers and models differ"},
        ),
        provenance="<provenance>/comparisons.json",
    log:
        "<logs>/comparisons.log",
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(60),
    params:
        bootstraps=lambda wildcards, input: in_braces(input.bootstraps),
    shell:
        "python -m ventral compare {params.bootstraps} --best-layers {input.best_layers:q} "
        "--output {output.table:q} --provenance {output.provenance:q} --log {log:q}"


rule reverse:
    input:
        areas=lambda wildcards: areas_of(wildcards.recording),
        gram=gram_of,
        stimuli=stimuli_of,
    output:
        table="<results>/reverse/{recording}/{model}.parquet",
        provenance="<provenance>/reverse/{recording}/{model}.json",
    log:
        "<logs>/reverse/{recording}/{model}.log",
    benchmark:
        "<benchmarks>/reverse/{recording}/{model}.tsv"
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    threads: 8
    resources:
        # Where tasks run, not what: a change of it makes nothing anew.
        dask=settings["dask"],
        mem_mb=scaled(8000),
        runtime=scaled(240),
    params:
        splits=lambda wildcards: settings["recordings"][wildcards.recording]["splits"],
        folds=settings["folds"],
        penalties=as_json(penalty_grid(settings["penalties"])),
        seed=settings["seed"],
    shell:
        "python -m ventral reverse {input.areas:q} {input.gram:q} {input.stimuli:q} --splits {params.splits} "
        "--folds {params.folds} --penalties {params.penalties:q} --seed {params.seed} --cores {threads} --dask {resources.dask:q} "
        "--output {output.table:q} --provenance {output.provenance:q} --log {log:q}"


rule selectivity:
    input:
        stimuli=lambda wildcards: f"<results>/stimuli/{settings['unseen']['stimuli']}.zarr",
        grams=lambda wildcards: expand(
            "<results>/grams/{model}/{stimuli}.zarr.zip",
            model=settings["unseen"]["models"],
            stimuli=settings["unseen"]["stimuli"],
        ),
    output:
        table="<results>/selectivity.csv",
        provenance="<provenance>/selectivity.json",
    log:
        "<logs>/selectivity.log",
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(8000),
        runtime=scaled(120),
    params:
        category=lambda wildcards: settings["unseen"]["category"],
        folds=settings["folds"],
        seed=settings["seed"],
    shell:
        "python -m ventral selectivity {input.grams:q} --stimuli {input.stimuli:q} --category {params.category:q} "
        "--folds {params.folds} --seed {params.seed} --output {output.table:q} --provenance {output.provenance:q} --log {log:q}"
