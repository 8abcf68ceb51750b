rule fit:
    input:
        gram=gram_of,
        recording="<results>/recordings/{recording}.zarr",
        stimuli=stimuli_of,
        probabilities=probabilities_of,
    output:
        "<results>/scores/{recording}/{model}.parquet",
        bootstraps="<results>/bootstraps/{recording}/{model}.parquet",
        influences="<results>/influences/{recording}/{model}.parquet",
        provenance="<provenance>/scores/{recording}/{model}.json",
    log:
        "<logs>/scores/{recording}/{model}.log",
    benchmark:
        "<benchmarks>/scores/{recording}/{model}.tsv"
    conda:
        "../../envs/cpu.yaml" if settings["fits"]["device"] == "cpu" else "../../envs/gpu.yaml"
    envmodules:
        *settings["envmodules"],
    threads: 8
    resources:
        **on_device("fit", settings["fits"]["device"]),
        mem_mb=scaled(8000),
        runtime=scaled(240),
    params:
        **told(
            "fit",
            mappings=settings["mappings"],
            components=settings["components"],
            rsa=settings["rsa"],
            n_bootstrap=settings["bootstrap"],
            reliability_threshold=settings["reliability_threshold"],
            prediction_reliability=settings["prediction_reliability"],
            r_squared_corrected=settings["r_squared_corrected"],
            first_fold=lambda wildcards: wildcards.recording in FITTED.values(),
            penalties=penalty_grid(settings["penalties"]),
            **DEAL,
        ),
    shell:
        command("cores dask device")


rule fitted_network:
    input:
        network="<results>/models/{model}",
        recording=lambda wildcards: f"<results>/recordings/{FITTED[wildcards.model]}.zarr",
        stimuli=lambda wildcards: f"<results>/stimuli/{settings['trainings'][wildcards.model]['stimuli']}.zarr",
    output:
        "<results>/fitted_networks/{model}.parquet",
        provenance="<provenance>/fitted_networks/{model}.json",
    log:
        "<logs>/fitted_networks/{model}.log",
    wildcard_constraints:
        model=any_of(FITTED),
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(60),
    params:
        **told(
            "fitted_network",
            n_folds=settings["folds"],
            seed=settings["seed"],
            reliability_threshold=settings["reliability_threshold"],
        ),
    shell:
        command()


use rule fit as banded with:
    input:
        gram=gram_of,
        recording="<results>/recordings/{recording}.zarr",
        stimuli=stimuli_of,
    output:
        "<results>/banded/{recording}/{model}.parquet",
        provenance="<provenance>/banded/{recording}/{model}.json",
    log:
        "<logs>/banded/{recording}/{model}.log",
    benchmark:
        "<benchmarks>/banded/{recording}/{model}.tsv"
    params:
        **told(
            "banded",
            layers=lambda wildcards: settings["banded"][wildcards.model],
            penalties=penalty_grid(settings["penalties"]),
            **DEAL,
        ),


rule inter_animal:
    input:
        recordings=lambda wildcards: expand(
            "<results>/recordings/{recording}.zarr", recording=recordings_of_set(settings, wildcards.group)
        ),
        stimuli=lambda wildcards: f"<results>/stimuli/{of_first(wildcards.group)['stimuli']}.zarr",
    output:
        "<results>/inter_animal/{group}.parquet",
        provenance="<provenance>/inter_animal/{group}.json",
    log:
        "<logs>/inter_animal/{group}.log",
    benchmark:
        "<benchmarks>/inter_animal/{group}.tsv"
    wildcard_constraints:
        group=any_of(settings["inter_animal"]),
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    threads: 8
    resources:
        # Affects the place of tasks, not results, so changing it triggers no rerun.
        dask=settings["dask"],
        mem_mb=scaled(8000),
        runtime=scaled(240),
    params:
        **told(
            "inter_animal",
            group=lambda wildcards: wildcards.group,
            mappings=predicting(settings["mappings"]),
            components=settings["components"],
            penalties=penalty_grid(settings["penalties"]),
            n_bootstrap=settings["bootstrap"],
            reliability_threshold=settings["reliability_threshold"],
            splits=lambda wildcards: of_first(wildcards.group)["splits"],
            n_folds=settings["folds"],
            seed=settings["seed"],
        ),
    shell:
        command("cores dask")


use rule fit as partition with:
    input:
        grams=lambda wildcards: expand(
            "<results>/grams/{model}/{stimuli}.zarr.zip",
            model=models_in_partition(settings["partitions"][wildcards.partition]),
            stimuli=settings["recordings"][wildcards.recording]["stimuli"],
        ),
        recording="<results>/recordings/{recording}.zarr",
        stimuli=stimuli_of,
    output:
        "<results>/partitions/{recording}/{partition}.parquet",
        areas="<results>/partitions/{recording}/{partition}.csv",
        provenance="<provenance>/partitions/{recording}/{partition}.json",
    log:
        "<logs>/partitions/{recording}/{partition}.log",
    benchmark:
        "<benchmarks>/partitions/{recording}/{partition}.tsv"
    params:
        **told(
            "partition",
            name=lambda wildcards: wildcards.partition,
            models=lambda wildcards: settings["partitions"][wildcards.partition],
            periods=periods_of,
            penalties=penalty_grid(settings["penalties"]),
            reliability_threshold=settings["reliability_threshold"],
            n_bootstrap=settings["bootstrap"],
            **DEAL,
        ),


use rule fit as reverse with:
    input:
        areas=lambda wildcards: gram_of_areas(wildcards.recording),
        gram=gram_of,
        stimuli=stimuli_of,
    output:
        "<results>/reverse/{recording}/{model}.parquet",
        provenance="<provenance>/reverse/{recording}/{model}.json",
    log:
        "<logs>/reverse/{recording}/{model}.log",
    benchmark:
        "<benchmarks>/reverse/{recording}/{model}.tsv"
    params:
        **told("reverse", penalties=penalty_grid(settings["penalties"]), **DEAL),


rule factorise:
    input:
        parts=activations_of,
        recording="<results>/recordings/{recording}.zarr",
        stimuli=stimuli_of,
    output:
        "<results>/factorised/{recording}/{model}.parquet",
        provenance="<provenance>/factorised/{recording}/{model}.json",
    log:
        "<logs>/factorised/{recording}/{model}.log",
    benchmark:
        "<benchmarks>/factorised/{recording}/{model}.tsv"
    # Runs before further extraction, as `gram` does.
    priority: 1
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    threads: 8
    resources:
        # Affects the place of tasks, not results, so changing it triggers no rerun.
        dask=settings["dask"],
        mem_mb=scaled(8000),
        runtime=scaled(240),
    params:
        **told("factorise", **DEAL),
    shell:
        command("cores dask")


rule join:
    input:
        tables=tables_of("scores", SCORED) + tables_of("factorised", FACTORISED) + tables_of("banded", BANDED),
    output:
        report("<results>/scores.parquet", caption="../report/scores.rst", category="Tables"),
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
        **told("join"),
    shell:
        command()


use rule join as brainscore with:
    input:
        grams=lambda wildcards: expand(
            "<results>/grams/{model}/{stimuli}.zarr.zip",
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
        provenance="<provenance>/brainscore/{recording}.json",
    log:
        "<logs>/brainscore/{recording}.log",
    resources:
        mem_mb=scaled(8000),
        runtime=scaled(240),
    params:
        **told("brainscore"),


use rule join as selectivity with:
    input:
        stimuli=lambda wildcards: f"<results>/stimuli/{settings['unseen']['stimuli']}.zarr",
        grams=lambda wildcards: expand(
            "<results>/grams/{model}/{stimuli}.zarr.zip",
            model=settings["unseen"]["models"],
            stimuli=settings["unseen"]["stimuli"],
        ),
    output:
        "<results>/selectivity.csv",
        provenance="<provenance>/selectivity.json",
    log:
        "<logs>/selectivity.log",
    resources:
        mem_mb=scaled(8000),
        runtime=scaled(120),
    params:
        **told(
            "selectivity",
            category=lambda wildcards: settings["unseen"]["category"],
            n_folds=settings["folds"],
            seed=settings["seed"],
        ),
