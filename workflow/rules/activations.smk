rule extract:
    input:
        stimuli="<results>/stimuli/{stimuli}.zarr",
        model="<results>/models/{model}.json",
        reads=watched(
            "activations/{model}/{stimuli}/{part}",
            lambda wildcards: checkpoint_of(settings["models"][wildcards.model]),
        ),
    output:
        kept_if_asked(directory("<results>/activations/{model}/{stimuli}/{part}")),
        provenance="<provenance>/activations/{model}/{stimuli}/{part}.json",
    log:
        "<logs>/activations/{model}/{stimuli}/{part}.log",
    benchmark:
        "<benchmarks>/activations/{model}/{stimuli}/{part}.tsv"
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
            "extract",
            spec=lambda wildcards: settings["models"][wildcards.model],
            part=lambda wildcards: int(wildcards.part),
            parts=settings["extraction"]["jobs"],
            shards=settings["extraction"]["shards"],
            **{key: settings["extraction"][key] for key in ("dtype", "autocast", "channels_last")},
        ),
    shell:
        command("device batch_size cores")


use rule extract as classify with:
    input:
        stimuli="<results>/stimuli/{stimuli}.zarr",
        reads=watched(
            "class_probabilities/{model}/{stimuli}",
            lambda wildcards: checkpoint_of(settings["models"][wildcards.model]),
        ),
    output:
        directory("<results>/class_probabilities/{model}/{stimuli}.zarr"),
        provenance="<provenance>/class_probabilities/{model}/{stimuli}.json",
    log:
        "<logs>/class_probabilities/{model}/{stimuli}.log",
    benchmark:
        "<benchmarks>/class_probabilities/{model}/{stimuli}.tsv"
    params:
        **told("classify", spec=lambda wildcards: settings["models"][wildcards.model]),
