rule fetch:
    output:
        "resources/{dataset}/{file}",
    log:
        "<logs>/fetch/{dataset}/{file}.log",
    conda:
        "../../envs/ventral.yaml"
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        url=lambda wildcards: DOWNLOADS[f"{wildcards.dataset}/{wildcards.file}"]["url"],
        sha256=lambda wildcards: DOWNLOADS[f"{wildcards.dataset}/{wildcards.file}"]["sha256"],
    shell:
        "python -m ventral fetch --url {params.url:q} --sha256 {params.sha256} --output {output:q} --log {log:q}"


rule unpack:
    input:
        lambda wildcards: settings["sources"][kriegeskorte2008.NAME],
    output:
        images="<results>/datasets/kriegeskorte2008/images.zip",
        table="<results>/datasets/kriegeskorte2008/stimuli.csv",
        matrices="<results>/datasets/kriegeskorte2008/matrices.npz",
    log:
        "<logs>/unpack/kriegeskorte2008.log",
    conda:
        "../../envs/ventral.yaml"
    resources:
        mem_mb=1000,
        runtime=60,
    shell:
        "python -m ventral unpack {input:q} --images {output.images:q} --table {output.table:q} "
        "--matrices {output.matrices:q} --log {log:q}"


rule ingest:
    input:
        lambda wildcards: given(settings["stimuli"][wildcards.stimuli], "images", "table"),
    output:
        directory("<results>/stimuli/{stimuli}.zarr"),
    log:
        "<logs>/stimuli/{stimuli}.log",
    benchmark:
        "<benchmarks>/stimuli/{stimuli}.tsv"
    wildcard_constraints:
        stimuli=any_of(name for name, spec in settings["stimuli"].items() if not spec.get("render")),
    conda:
        "../../envs/ventral.yaml"
    threads: 4
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        # Which properties are circular is for those who decode them.
        spec=lambda wildcards: as_json(
            {key: value for key, value in settings["stimuli"][wildcards.stimuli].items() if key != "circular"}
        ),
    shell:
        "python -m ventral stimuli --name {wildcards.stimuli:q} --spec {params.spec:q} --cores {threads} "
        "--output {output:q} --log {log:q}"


rule render:
    input:
        lambda wildcards: rendering.folders(settings["stimuli"][wildcards.stimuli]["render"]),
    output:
        temp(directory("<results>/renders/{stimuli}/{shard}.zarr")),
    log:
        "<logs>/renders/{stimuli}/{shard}.log",
    benchmark:
        "<benchmarks>/renders/{stimuli}/{shard}.tsv"
    conda:
        "../../envs/ventral.yaml"
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        spec=lambda wildcards: as_json(settings["stimuli"][wildcards.stimuli]["render"]),
        shards=lambda wildcards: settings["stimuli"][wildcards.stimuli]["render"]["shards"],
    shell:
        "python -m ventral render --name {wildcards.stimuli:q} --spec {params.spec:q} --shard {wildcards.shard} "
        "--shards {params.shards} --output {output:q} --log {log:q}"


rule assemble:
    input:
        lambda wildcards: expand(
            "<results>/renders/{stimuli}/{shard}.zarr",
            stimuli=wildcards.stimuli,
            shard=range(settings["stimuli"][wildcards.stimuli]["render"]["shards"]),
        ),
    output:
        directory("<results>/stimuli/{stimuli}.zarr"),
    log:
        "<logs>/stimuli/{stimuli}.log",
    wildcard_constraints:
        stimuli=any_of(name for name, spec in settings["stimuli"].items() if spec.get("render")),
    conda:
        "../../envs/ventral.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        spec=lambda wildcards: as_json(settings["stimuli"][wildcards.stimuli]["render"]),
    shell:
        "python -m ventral assemble {input:q} --name {wildcards.stimuli:q} --spec {params.spec:q} --output {output:q} "
        "--log {log:q}"
