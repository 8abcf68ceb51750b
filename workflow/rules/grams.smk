rule gram:
    input:
        parts=expand(
            "<results>/activations/{model}/{stimuli}/{part}",
            part=range(settings["extraction"]["jobs"]),
            allow_missing=True,
        ),
    output:
        "<results>/grams/{model}/{stimuli}.zarr.zip",
        provenance="<provenance>/grams/{model}/{stimuli}.json",
    log:
        "<logs>/grams/{model}/{stimuli}.log",
    benchmark:
        "<benchmarks>/grams/{model}/{stimuli}.tsv"
    wildcard_constraints:
        model=any_of(settings["models"]),
    # Before more is extracted: activations, the largest of all, can go then.
    priority: 1
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    threads: 8
    resources:
        # Where tasks run, not what: a change of it makes nothing anew.
        dask=settings["dask"],
        mem_mb=scaled(settings["grams"]["memory_mb"] + 1000),
        arrays_mb=settings["grams"]["memory_mb"],
        runtime=scaled(240),
    params:
        **told("gram", seed=settings["seed"]),
    shell:
        command("memory_mb cores dask")


rule recorded_gram:
    input:
        recording="<results>/recordings/{recording}.zarr",
    output:
        "<results>/grams/{recording}/{stimuli}.zarr.zip",
        provenance="<provenance>/grams/{recording}/{stimuli}.json",
    log:
        "<logs>/grams/{recording}/{stimuli}.log",
    wildcard_constraints:
        recording=any_of({*settings["recorded_models"], *settings["reverse"]}),
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(8000),
        runtime=scaled(60),
    params:
        **told("recorded_gram"),
    shell:
        command()
