use rule factorise as readout with:
    input:
        parts=activations_of,
        gram=gram_of,
        recording="<results>/recordings/{recording}.zarr",
        stimuli=stimuli_of,
        scores="<results>/scores/{recording}/{model}.parquet",
    output:
        directory("<results>/readouts/{recording}/{model}"),
        provenance="<provenance>/readouts/{recording}/{model}.json",
    log:
        "<logs>/readouts/{recording}/{model}.log",
    benchmark:
        "<benchmarks>/readouts/{recording}/{model}.tsv"
    params:
        **told(
            "readout",
            layers=lambda wildcards: settings["outputs"]["readouts"][wildcards.model],
            spec=lambda wildcards: settings["models"][wildcards.model],
            penalties=penalty_grid(settings["penalties"]),
            reliability_threshold=settings["reliability_threshold"],
            n_folds=settings["folds"],
            seed=settings["seed"],
            **{key: settings["extraction"][key] for key in ("dtype", "autocast", "channels_last")},
        ),


use rule fit as predictions with:
    input:
        gram=gram_of,
        recording="<results>/recordings/{recording}.zarr",
        stimuli=stimuli_of,
        scores="<results>/scores/{recording}/{model}.parquet",
    output:
        directory("<results>/predictions/{recording}/{model}.zarr"),
        provenance="<provenance>/predictions/{recording}/{model}.json",
    log:
        "<logs>/predictions/{recording}/{model}.log",
    benchmark:
        "<benchmarks>/predictions/{recording}/{model}.tsv"
    params:
        **told(
            "predictions",
            layers=lambda wildcards: settings["outputs"]["predictions"][wildcards.model],
            mappings=settings["mappings"],
            components=settings["components"],
            penalties=penalty_grid(settings["penalties"]),
            reliability_threshold=settings["reliability_threshold"],
            **DEAL,
        ),


rule predict_pool:
    input:
        readouts=expand(
            "<results>/readouts/{recording}/{model}",
            recording=NEXT_EXPERIMENT.get("recording", []),
            model=NEXT_EXPERIMENT.get("candidates", []),
        ),
        pool=MADE["pool"],
        reads=watched(
            "next_experiment_pool",
            lambda wildcards: [
                path
                for name in NEXT_EXPERIMENT.get("candidates", [])
                for path in checkpoint_of(settings["models"][name])
            ],
        ),
    output:
        directory("<results>/next_experiment.zarr"),
        provenance="<provenance>/next_experiment_pool.json",
    log:
        "<logs>/next_experiment_pool.log",
    benchmark:
        "<benchmarks>/next_experiment_pool.tsv"
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
        **told("predict_pool", candidates=NEXT_EXPERIMENT.get("candidates", {})),
    shell:
        command("device batch_size")
