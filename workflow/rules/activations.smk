rule extract:
    input:
        stimuli="<results>/stimuli/{stimuli}.zarr",
        checkpoint=lambda wildcards: checkpoint_of(settings["models"][wildcards.model]),
    output:
        activations(directory("<results>/activations/{model}/{stimuli}/{shard}.zarr")),
    log:
        "<logs>/activations/{model}/{stimuli}/{shard}.log",
    benchmark:
        "<benchmarks>/activations/{model}/{stimuli}/{shard}.tsv"
    params:
        spec=lambda wildcards: as_json(settings["models"][wildcards.model]),
        options=as_json({key: settings["extraction"][key] for key in ("dtype", "autocast", "channels_last")}),
    conda:
        "../../envs/ventral.yaml"
    threads: 8
    resources:
        mem_mb=8000,
        runtime=240,
    shell:
        "python -m ventral extract {input.stimuli:q} --spec {params.spec:q} --options {params.options:q} "
        "--shard {wildcards.shard} --shards {settings[extraction][shards]} --device {settings[extraction][device]} "
        "--batch-size {settings[extraction][batch_size]} --cores {threads} --output {output:q} --log {log:q}"
