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
        options=options(
            mappings=settings["mappings"],
            components=settings["components"],
            rsa=settings["rsa"],
            splits=splits_of,
            n_folds=settings["folds"],
            penalties=penalty_grid(settings["penalties"]),
            seed=settings["seed"],
            n_bootstrap=settings["bootstrap"],
            reliability_threshold=settings["reliability_threshold"],
        ),
    shell:
        command("fit", "gram recording stimuli", "output=scores bootstraps", "options cores dask")


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
        options=options(
            splits=splits_of,
            n_folds=settings["folds"],
            seed=settings["seed"],
        ),
    shell:
        command("factorise", "parts recording stimuli", "output=table", "options cores dask")


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
        options=options(
            layers=lambda wildcards: settings["banded"][wildcards.model],
            splits=splits_of,
            n_folds=settings["folds"],
            penalties=penalty_grid(settings["penalties"]),
            seed=settings["seed"],
        ),
    shell:
        command("banded", "gram recording stimuli", "output=table", "options cores dask")


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
        options=options(
            reliability_threshold=settings["reliability_threshold"],
            n_bootstrap=settings["bootstrap"],
            seed=settings["seed"],
        ),
        tables=lambda wildcards, input: in_braces(input),
    shell:
        command("contributions", "tables=params.tables", "output=table", "options")


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
        command("brainscore", "grams recording stimuli", "output=table")


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
        command("join", "tables=params.tables", "output=table")


rule best_layers:
    input:
        scores="<results>/scores.parquet",
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
        options=options(
            reliability_threshold=settings["reliability_threshold"],
            seed=settings["seed"],
        ),
    shell:
        command("best_layers", "scores", "output=table", "options")


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
        command("compare", "bootstraps=params.bootstraps best_layers", "output=table")


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
        options=options(
            splits=splits_of,
            n_folds=settings["folds"],
            penalties=penalty_grid(settings["penalties"]),
            seed=settings["seed"],
        ),
    shell:
        command("reverse", "areas gram stimuli", "output=table", "options cores dask")


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
        options=options(
            category=lambda wildcards: settings["unseen"]["category"],
            n_folds=settings["folds"],
            seed=settings["seed"],
        ),
    shell:
        command("selectivity", "grams stimuli", "output=table", "options")
