rule fetch:
    output:
        "resources/{download}",
    log:
        "<logs>/fetch/{download}.log",
    wildcard_constraints:
        download=any_of(DOWNLOADED_HERE),
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(1000),
        runtime=scaled(60),
    params:
        options=lambda wildcards: as_json(DOWNLOADS[wildcards.download]),
    # The job needs no record, because its command names the content.
    shell:
        "python -m ventral fetch --output output {output:q} --options {params.options:q} --log {log:q}"


rule ingest:
    input:
        reads=watched(
            "stimuli/{stimuli}", lambda wildcards: given(settings["stimuli"][wildcards.stimuli], *MODALITIES, "table")
        ),
    output:
        directory("<results>/stimuli/{stimuli}.zarr"),
        provenance="<provenance>/stimuli/{stimuli}.json",
    log:
        "<logs>/stimuli/{stimuli}.log",
    benchmark:
        "<benchmarks>/stimuli/{stimuli}.tsv"
    wildcard_constraints:
        stimuli=any_of(
            name for name, spec in settings["stimuli"].items() if not any(way in spec for way in WAYS_TO_MAKE)
        ),
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    threads: 4
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(120),
    params:
        **told(
            "stimuli",
            name=lambda wildcards: wildcards.stimuli,
            # Only decoding reads which properties are circular.
            spec=lambda wildcards: without(settings["stimuli"][wildcards.stimuli], "circular"),
        ),
    shell:
        command("cores")


rule synthesise:
    output:
        directory("<results>/stimuli/{stimuli}.zarr"),
        provenance="<provenance>/stimuli/{stimuli}.json",
    log:
        "<logs>/stimuli/{stimuli}.log",
    benchmark:
        "<benchmarks>/stimuli/{stimuli}.tsv"
    wildcard_constraints:
        stimuli=any_of(name for name, spec in settings["stimuli"].items() if SYNTHESIS in spec),
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    threads: 4
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(240),
    params:
        **told(
            "synthesise",
            name=lambda wildcards: wildcards.stimuli,
            spec=lambda wildcards: settings["stimuli"][wildcards.stimuli],
        ),
    shell:
        command("cores")


rule render:
    input:
        reads=watched(
            "renders/{stimuli}/{shard}",
            lambda wildcards: rendering.folders(settings["stimuli"][wildcards.stimuli]["render"]),
        ),
    output:
        temp(directory("<results>/renders/{stimuli}/{shard}.zarr")),
        provenance="<provenance>/renders/{stimuli}/{shard}.json",
    log:
        "<logs>/renders/{stimuli}/{shard}.log",
    benchmark:
        "<benchmarks>/renders/{stimuli}/{shard}.tsv"
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(240),
    params:
        **told(
            "render",
            name=lambda wildcards: wildcards.stimuli,
            spec=lambda wildcards: settings["stimuli"][wildcards.stimuli]["render"],
            shard=lambda wildcards: int(wildcards.shard),
            shards=lambda wildcards: settings["stimuli"][wildcards.stimuli]["render"]["shards"],
        ),
    shell:
        command()


use rule render as assemble with:
    input:
        shards=lambda wildcards: expand(
            "<results>/renders/{stimuli}/{shard}.zarr",
            stimuli=wildcards.stimuli,
            shard=range(settings["stimuli"][wildcards.stimuli]["render"]["shards"]),
        ),
    output:
        directory("<results>/stimuli/{stimuli}.zarr"),
        provenance="<provenance>/stimuli/{stimuli}.json",
    log:
        "<logs>/stimuli/{stimuli}.log",
    benchmark:
        "<benchmarks>/stimuli/{stimuli}.tsv"
    wildcard_constraints:
        stimuli=any_of(name for name, spec in settings["stimuli"].items() if spec.get("render")),
    params:
        **told(
            "assemble",
            name=lambda wildcards: wildcards.stimuli,
            spec=lambda wildcards: settings["stimuli"][wildcards.stimuli]["render"],
            degrees=lambda wildcards: settings["stimuli"][wildcards.stimuli].get("degrees"),
        ),


use rule render as unpack with:
    input:
        reads=watched("unpack/{unpacked}", published_of),
    output:
        "<results>/datasets/{unpacked}",
        provenance="<provenance>/unpack/{unpacked}.json",
    log:
        "<logs>/unpack/{unpacked}.log",
    benchmark:
        "<benchmarks>/unpack/{unpacked}.tsv"
    wildcard_constraints:
        unpacked=any_of(file.removeprefix(f"{settings['results']}/datasets/") for file in settings["unpacks"]),
    params:
        **told(
            "unpack",
            dataset=lambda wildcards: unpacked_of(wildcards)["dataset"],
            writer=lambda wildcards: unpacked_of(wildcards)["writer"],
            inputs=lambda wildcards: unpacked_of(wildcards)["inputs"],
            options=lambda wildcards: unpacked_of(wildcards)["options"],
        ),
