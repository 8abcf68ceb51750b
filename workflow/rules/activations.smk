rule extract:
    input:
        stimuli="<results>/stimuli/{stimuli}.zarr",
        model="<results>/models/{model}.json",
        checkpoint=lambda wildcards: checkpoint_of(settings["models"][wildcards.model]),
    output:
        activations(directory("<results>/activations/{model}/{stimuli}/{shard}.zarr")),
    log:
        "<logs>/activations/{model}/{stimuli}/{shard}.log",
    benchmark:
        "<benchmarks>/activations/{model}/{stimuli}/{shard}.tsv"
    conda:
        "../../envs/ventral.yaml"
    threads: 8
    resources:
        mem_mb=8000,
        runtime=240,
        # How, not what: a change of these makes nothing anew.
        device=settings["extraction"]["device"],
        batch_size=settings["extraction"]["batch_size"],
    params:
        shards=settings["extraction"]["shards"],
        spec=lambda wildcards: as_json(settings["models"][wildcards.model]),
        options=as_json({key: settings["extraction"][key] for key in ("dtype", "autocast", "channels_last")}),
    shell:
        "python -m ventral extract {input.stimuli:q} --spec {params.spec:q} --options {params.options:q} "
        "--shard {wildcards.shard} --shards {params.shards} --device {resources.device} "
        "--batch-size {resources.batch_size} --cores {threads} --output {output:q} --log {log:q}"
