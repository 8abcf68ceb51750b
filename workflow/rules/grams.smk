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
    params:
        seed=settings["seed"],
    conda:
        "../../envs/ventral.yaml"
    threads: 8
    resources:
        mem_mb=settings["grams"]["memory_mb"] + 1000,
        runtime=240,
    shell:
        "python -m ventral gram {input:q} --memory-mb {settings[grams][memory_mb]} --seed {params.seed} "
        "--cores {threads} --output {output:q} --log {log:q}"
