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
            layers=lambda wildcards: READ_OUT[wildcards.recording, wildcards.model],
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


if NEXT_EXPERIMENT:

    use rule extract as predict_pool with:
        input:
            readouts=expand(
                "<results>/readouts/{recording}/{model}",
                recording=NEXT_EXPERIMENT["recording"],
                model=NEXT_EXPERIMENT["candidates"],
            ),
            pool=MADE["pool"],
            reads=watched(
                "next_experiment_pool",
                lambda wildcards: [
                    path
                    for model in NEXT_EXPERIMENT["candidates"]
                    for path in checkpoint_of(settings["models"][model])
                ],
            ),
        output:
            directory("<results>/next_experiment.zarr"),
            provenance="<provenance>/next_experiment_pool.json",
        log:
            "<logs>/next_experiment_pool.log",
        benchmark:
            "<benchmarks>/next_experiment_pool.tsv"
        params:
            **told("predict_pool", candidates=NEXT_EXPERIMENT["candidates"]),


if DRIVE:

    use rule extract as drive with:
        input:
            readouts=f"<results>/readouts/{DRIVE['recording']}/{DRIVE['model']}",
            judges=f"<results>/readouts/{DRIVE['recording']}/{DRIVE['judge']}",
            linear=f"<results>/readouts/{DRIVE['recording']}/{DRIVE['linear']}" if DRIVE["linear"] else [],
            recording=f"<results>/recordings/{DRIVE['recording']}.zarr",
            stimuli=f"<results>/stimuli/{settings['recordings'][DRIVE['recording']]['stimuli']}.zarr",
            pool=f"<results>/stimuli/{DRIVE['pool']}.zarr" if DRIVE["pool"] else [],
            reads=watched(
                "driven",
                lambda wildcards: [
                    path
                    for model in (DRIVE["model"], DRIVE["judge"])
                    for path in checkpoint_of(settings["models"][model])
                ],
            ),
        output:
            directory("<results>/driven"),
            provenance="<provenance>/driven.json",
        log:
            "<logs>/driven.log",
        benchmark:
            "<benchmarks>/driven.tsv"
        params:
            **told(
                "drive",
                **{key: DRIVE[key] for key in ("neuroids", "time_bin", "objectives", "start", "seeds")},
                search={key: DRIVE[key] for key in SEARCH},
                reliability_threshold=settings["reliability_threshold"],
                seed=settings["seed"],
            ),
