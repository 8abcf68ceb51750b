# The models that are read, for each recording of neuroids.
DECODED = decoded_models(settings)
DECODING = {key: settings["decoding"][key] for key in ("units", "draws")} if "decoding" in settings else {}


rule decode:
    input:
        gram=gram_of,
        recording="<results>/recordings/{recording}.zarr",
        stimuli=stimuli_of,
    output:
        table="<results>/decoding/{recording}/{model}.parquet",
        provenance="<provenance>/decoding/{recording}/{model}.json",
    log:
        "<logs>/decoding/{recording}/{model}.log",
    benchmark:
        "<benchmarks>/decoding/{recording}/{model}.tsv"
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    threads: 8
    resources:
        # Where tasks run, not what: a change of it makes nothing anew.
        dask=settings["dask"],
        mem_mb=scaled(8000),
        runtime=scaled(480),
    params:
        options=options(
            splits=splits_of,
            n_folds=settings["folds"],
            penalties=penalty_grid(settings["penalties"]),
            periods=periods_of,
            **DECODING,
            reliability_threshold=settings["reliability_threshold"],
            seed=settings["seed"],
        ),
    shell:
        command("decode", "gram recording stimuli", "output=table", "options cores dask")


rule decode_areas:
    input:
        recording="<results>/recordings/{recording}.zarr",
        stimuli=stimuli_of,
    output:
        table="<results>/decoded_areas/{recording}.parquet",
        provenance="<provenance>/decoded_areas/{recording}.json",
    log:
        "<logs>/decoded_areas/{recording}.log",
    benchmark:
        "<benchmarks>/decoded_areas/{recording}.tsv"
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    threads: 8
    resources:
        # Where tasks run, not what: a change of it makes nothing anew.
        dask=settings["dask"],
        mem_mb=scaled(8000),
        runtime=scaled(480),
    params:
        options=options(
            splits=splits_of,
            n_folds=settings["folds"],
            penalties=penalty_grid(settings["penalties"]),
            periods=periods_of,
            **DECODING,
            reliability_threshold=settings["reliability_threshold"],
            seed=settings["seed"],
        ),
    shell:
        command("decode_areas", "recording stimuli", "output=table", "options cores dask")


rule explicit:
    input:
        [f"<results>/decoding/{recording}/{model}.parquet" for recording, models in DECODED.items() for model in models],
        [f"<results>/decoded_areas/{recording}.parquet" for recording in DECODED],
    output:
        summary=report(
            "<results>/explicit.csv",
            caption="../report/explicit.rst",
            category="Tables",
            labels={"table": "What is explicit where"},
        ),
        text="<results>/explicit.md",
        curves="<results>/population_curves.csv",
        svg=report(
            "<results>/figures/explicitness.svg",
            caption="../report/explicit.rst",
            category="Figures",
            labels={"figure": "What is explicit where"},
        ),
        pdf="<results>/figures/explicitness.pdf",
        csv="<results>/figures/explicitness.csv",
        provenance="<provenance>/explicit.json",
    log:
        "<logs>/explicit.log",
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(60),
    params:
        options=options(
            extrapolate_to=lambda wildcards: settings["decoding"]["extrapolate_to"],
            seed=settings["seed"],
        ),
        tables=lambda wildcards, input: in_braces(input),
    shell:
        command("explicit", "tables=params.tables", "summary text curves svg pdf csv", "options")
