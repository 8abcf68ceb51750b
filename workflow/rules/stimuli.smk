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


rule ingest:
    input:
        lambda wildcards: given(settings["stimuli"][wildcards.stimuli], "images", "table"),
    output:
        directory("<results>/stimuli/{stimuli}.zarr"),
    log:
        "<logs>/stimuli/{stimuli}.log",
    benchmark:
        "<benchmarks>/stimuli/{stimuli}.tsv"
    conda:
        "../../envs/ventral.yaml"
    threads: 4
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        spec=lambda wildcards: as_json(settings["stimuli"][wildcards.stimuli]),
    shell:
        "python -m ventral stimuli --name {wildcards.stimuli:q} --spec {params.spec:q} --cores {threads} "
        "--output {output:q} --log {log:q}"
