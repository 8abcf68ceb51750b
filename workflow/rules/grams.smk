rule gram:
    input:
        expand(
            "<results>/activations/{model}/{stimuli}/{shard}.zarr",
            shard=range(settings["extraction"]["shards"]),
            allow_missing=True,
        ),
    output:
        directory("<results>/grams/{model}/{stimuli}.zarr"),
    log:
        "<logs>/grams/{model}/{stimuli}.log",
    benchmark:
        "<benchmarks>/grams/{model}/{stimuli}.tsv"
    conda:
        "../../envs/ventral.yaml"
    threads: 8
    resources:
        mem_mb=settings["grams"]["memory_mb"] + 1000,
        arrays_mb=settings["grams"]["memory_mb"],
        runtime=240,
    params:
        seed=settings["seed"],
    shell:
        "python -m ventral gram {input:q} --memory-mb {resources.arrays_mb} --seed {params.seed} "
        "--cores {threads} --output {output:q} --log {log:q}"
