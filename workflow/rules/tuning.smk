rule tuning:
    input:
        reads=watched("tuning/{model}", lambda wildcards: checkpoint_of(settings["models"][wildcards.model])),
    output:
        "<results>/tuning/{model}.parquet",
        provenance="<provenance>/tuning/{model}.json",
    log:
        "<logs>/tuning/{model}.log",
    benchmark:
        "<benchmarks>/tuning/{model}.tsv"
    wildcard_constraints:
        model=any_of(TUNING["models"]),
    conda:
        "../../envs/gpu.yaml"
    envmodules:
        *settings["envmodules"],
    threads: 8
    resources:
        mem_mb=scaled(8000),
        runtime=scaled(240),
        # These affect speed, not results, so changing them triggers no rerun.
        device=settings["extraction"]["device"],
        batch_size=settings["extraction"]["batch_size"],
        gres=settings["gres"].get("extract", ""),
    params:
        **told(
            "tuning",
            spec=lambda wildcards: settings["models"][wildcards.model],
            units=TUNING.get("units"),
            degrees=TUNING.get("degrees"),
            frequencies=TUNING.get("frequencies"),
            seed=settings["seed"],
        ),
    shell:
        command("device batch_size cores")


use rule tuning as tuning_of_readouts with:
    input:
        readouts="<results>/readouts/{recording}/{model}",
        reads=watched(
            "tuning_of_readouts/{recording}/{model}",
            lambda wildcards: checkpoint_of(settings["models"][wildcards.model]),
        ),
    output:
        "<results>/tuning_of_readouts/{recording}/{model}.parquet",
        provenance="<provenance>/tuning_of_readouts/{recording}/{model}.json",
    log:
        "<logs>/tuning_of_readouts/{recording}/{model}.log",
    benchmark:
        "<benchmarks>/tuning_of_readouts/{recording}/{model}.tsv"
    wildcard_constraints:
        model=any_of({model for _, model in TUNED_READOUTS}),
    params:
        **told(
            "tuning_of_readouts",
            degrees=TUNING.get("degrees"),
            frequencies=TUNING.get("frequencies"),
            seed=settings["seed"],
        ),
