rule model:
    input:
        reads=watched("models/{model}", lambda wildcards: checkpoint_of(settings["models"][wildcards.model])),
    output:
        "<results>/models/{model}.json",
        provenance="<provenance>/models/{model}.json",
    log:
        "<logs>/models/{model}.log",
    # Runs first, so that a wrong name of a layer is reported before any long work.
    priority: 100
    conda:
        "../../envs/gpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(60),
        # These are only checked, and do not change the model, so changing them triggers no rerun.
        checked=options(
            together=lambda wildcards: settings["banded"].get(wildcards.model, []),
            read_out=lambda wildcards: named_layers(
                layers for (_, model), layers in READ_OUT.items() if model == wildcards.model
            ),
            predicted=lambda wildcards: named_layers([settings["outputs"]["predictions"].get(wildcards.model, [])]),
        ),
    params:
        **told("model", spec=lambda wildcards: settings["models"][wildcards.model]),
    shell:
        command("checked")


rule train:
    input:
        stimuli=lambda wildcards: f"<results>/stimuli/{settings['trainings'][wildcards.model]['stimuli']}.zarr",
        tested=lambda wildcards: [
            f"<results>/stimuli/{name}.zarr" for name in settings["trainings"][wildcards.model]["tested"]
        ],
        recording=lambda wildcards: [
            f"<results>/recordings/{name}.zarr" for name in given(settings["trainings"][wildcards.model], "recording")
        ],
        reads=watched(
            "trainings/{model}", lambda wildcards: checkpoint_of(settings["trainings"][wildcards.model]["network"])
        ),
    output:
        directory("<results>/models/{model}"),
        provenance="<provenance>/trainings/{model}.json",
    log:
        "<logs>/trainings/{model}.log",
    benchmark:
        "<benchmarks>/trainings/{model}.tsv"
    wildcard_constraints:
        model=any_of(settings["trainings"]),
    # Runs early, because training takes long on one core.
    priority: 90
    conda:
        "../../envs/gpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        # Training holds its images in memory, at the network's size.
        mem_mb=lambda wildcards, input, attempt: attempt * max(8000, 6000 + int(2 * input.size_mb)),
        runtime=scaled(1440),
        # These affect speed or are only checked, so changing them triggers no rerun.
        device=lambda wildcards: settings["trainings"][wildcards.model]["device"],
        gres=settings["gres"].get("train", ""),
        checked=options(
            layers=lambda wildcards: {
                key: settings["models"][wildcards.model][key] for key in ("layers", "max_layers")
            }
        ),
    params:
        **told("train", spec=lambda wildcards: without(settings["trainings"][wildcards.model], "device")),
    shell:
        command("checked device")


rule filters:
    input:
        reads=watched(
            "filters",
            lambda wildcards: [
                path for name in FIRST_LAYERS["models"] for path in checkpoint_of(settings["models"][name])
            ],
        ),
    output:
        "<results>/filters.parquet",
        provenance="<provenance>/filters.json",
    log:
        "<logs>/filters.log",
    benchmark:
        "<benchmarks>/filters.tsv"
    conda:
        "../../envs/gpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(60),
    params:
        **told(
            "filters",
            specs=[settings["models"][name] for name in FIRST_LAYERS["models"]],
            degrees=FIRST_LAYERS["degrees"],
            seed=settings["seed"],
        ),
    shell:
        command()
