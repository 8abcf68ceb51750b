rule fetch:
    output:
        "resources/{download}",
    log:
        "<logs>/fetch/{download}.log",
    wildcard_constraints:
        # Modules side by side share what is downloaded: the first one downloads it.
        download=any_of([] if DOWNLOADED_BY_OTHERS else DOWNLOADS),
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(1000),
        runtime=scaled(60),
    params:
        url=lambda wildcards: DOWNLOADS[wildcards.download]["url"],
        sha256=lambda wildcards: DOWNLOADS[wildcards.download]["sha256"],
    shell:
        "python -m ventral fetch --url {params.url:q} --sha256 {params.sha256} --output {output:q} --log {log:q}"


rule unpack:
    input:
        watched("unpack/kriegeskorte2008", lambda wildcards: [settings["sources"][kriegeskorte2008.NAME]]),
    output:
        images="<results>/datasets/kriegeskorte2008/images.zip",
        table="<results>/datasets/kriegeskorte2008/stimuli.csv",
        matrices="<results>/datasets/kriegeskorte2008/matrices.npz",
        provenance="<provenance>/unpack/kriegeskorte2008.json",
    log:
        "<logs>/unpack/kriegeskorte2008.log",
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(1000),
        runtime=scaled(60),
    shell:
        "python -m ventral unpack {input:q} --images {output.images:q} --table {output.table:q} "
        "--matrices {output.matrices:q} --provenance {output.provenance:q} --log {log:q}"


rule ingest:
    input:
        watched("stimuli/{stimuli}", lambda wildcards: given(settings["stimuli"][wildcards.stimuli], "images", "table")),
    output:
        store=directory("<results>/stimuli/{stimuli}.zarr"),
        provenance="<provenance>/stimuli/{stimuli}.json",
    log:
        "<logs>/stimuli/{stimuli}.log",
    benchmark:
        "<benchmarks>/stimuli/{stimuli}.tsv"
    wildcard_constraints:
        stimuli=any_of(name for name, spec in settings["stimuli"].items() if not spec.get("render")),
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    threads: 4
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(120),
    params:
        # Which properties are circular is for those who decode them.
        spec=lambda wildcards: as_json(
            {key: value for key, value in settings["stimuli"][wildcards.stimuli].items() if key != "circular"}
        ),
    shell:
        "python -m ventral stimuli --name {wildcards.stimuli:q} --spec {params.spec:q} --reads {input:q} --cores {threads} "
        "--output {output.store:q} --provenance {output.provenance:q} --log {log:q}"


rule render:
    input:
        watched(
            "renders/{stimuli}/{shard}",
            lambda wildcards: rendering.folders(settings["stimuli"][wildcards.stimuli]["render"]),
        ),
    output:
        store=temp(directory("<results>/renders/{stimuli}/{shard}.zarr")),
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
        spec=lambda wildcards: as_json(settings["stimuli"][wildcards.stimuli]["render"]),
        shards=lambda wildcards: settings["stimuli"][wildcards.stimuli]["render"]["shards"],
    shell:
        "python -m ventral render --name {wildcards.stimuli:q} --spec {params.spec:q} --reads {input:q} --shard {wildcards.shard} "
        "--shards {params.shards} --output {output.store:q} --provenance {output.provenance:q} --log {log:q}"


rule assemble:
    input:
        lambda wildcards: expand(
            "<results>/renders/{stimuli}/{shard}.zarr",
            stimuli=wildcards.stimuli,
            shard=range(settings["stimuli"][wildcards.stimuli]["render"]["shards"]),
        ),
    output:
        store=directory("<results>/stimuli/{stimuli}.zarr"),
        provenance="<provenance>/stimuli/{stimuli}.json",
    log:
        "<logs>/stimuli/{stimuli}.log",
    wildcard_constraints:
        stimuli=any_of(name for name, spec in settings["stimuli"].items() if spec.get("render")),
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(60),
    params:
        spec=lambda wildcards: as_json(settings["stimuli"][wildcards.stimuli]["render"]),
    shell:
        "python -m ventral assemble {input:q} --name {wildcards.stimuli:q} --spec {params.spec:q} --output {output.store:q} "
        "--provenance {output.provenance:q} --log {log:q}"
