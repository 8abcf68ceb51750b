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
        model=any_of(settings["models"] if GRAMS_BY == "gram" else []),
    # Runs before further extraction, so that activations, the largest files, can be deleted.
    priority: 1
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    threads: 8
    resources:
        # Affects the place of tasks, not results, so changing it triggers no rerun.
        dask=settings["dask"],
        mem_mb=scaled(settings["grams"]["memory_mb"] + 1000),
        arrays_mb=settings["grams"]["memory_mb"],
        runtime=scaled(240),
    params:
        **told("gram", seed=settings["seed"]),
    shell:
        command("memory_mb cores dask")


rule gram_on_gpu:
    input:
        parts=rules.gram.input.parts,
    output:
        "<results>/grams/{model}/{stimuli}.zarr.zip",
        provenance="<provenance>/grams/{model}/{stimuli}.json",
    log:
        "<logs>/grams/{model}/{stimuli}.log",
    benchmark:
        "<benchmarks>/grams/{model}/{stimuli}.tsv"
    wildcard_constraints:
        model=any_of(settings["models"] if GRAMS_BY == "gram_on_gpu" else []),
    priority: 1
    conda:
        "../../envs/gpu.yaml"
    envmodules:
        *settings["envmodules"],
    threads: 8
    resources:
        mem_mb=scaled(settings["grams"]["memory_mb"] + 8000),
        arrays_mb=settings["grams"]["memory_mb"],
        runtime=scaled(240),
        # These affect speed, not results, so changing them triggers no rerun.
        device=settings["grams"]["device"],
        gres=settings["gres"].get("gram", ""),
    params:
        **told("gram", seed=settings["seed"]),
    shell:
        command("memory_mb cores device")


rule gram_forward:
    input:
        stimuli="<results>/stimuli/{stimuli}.zarr",
        model="<results>/models/{model}.json",
        reads=watched(
            "grams/{model}/{stimuli}",
            lambda wildcards: checkpoint_of(settings["models"][wildcards.model]),
        ),
    output:
        "<results>/grams/{model}/{stimuli}.zarr.zip",
        provenance="<provenance>/grams/{model}/{stimuli}.json",
    log:
        "<logs>/grams/{model}/{stimuli}.log",
    benchmark:
        "<benchmarks>/grams/{model}/{stimuli}.tsv"
    wildcard_constraints:
        model=any_of(settings["models"] if GRAMS_BY == "gram_forward" else []),
    conda:
        "../../envs/gpu.yaml"
    envmodules:
        *settings["envmodules"],
    threads: 8
    resources:
        mem_mb=scaled(settings["grams"]["memory_mb"] + 8000),
        arrays_mb=settings["grams"]["memory_mb"],
        runtime=scaled(480),
        # These affect speed, not results, so changing them triggers no rerun.
        device=settings["extraction"]["device"],
        batch_size=settings["extraction"]["batch_size"],
        gres=settings["gres"].get("extract", ""),
    params:
        **told(
            "gram_forward",
            spec=lambda wildcards: settings["models"][wildcards.model],
            seed=settings["seed"],
            **{key: settings["extraction"][key] for key in ("dtype", "autocast", "channels_last")},
        ),
    shell:
        command("device batch_size memory_mb cores")


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
