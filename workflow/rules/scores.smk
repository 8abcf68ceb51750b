rule fit:
    input:
        gram=gram_of,
        recording="<results>/recordings/{recording}.zarr",
        stimuli=stimuli_of,
    output:
        "<results>/scores/{recording}/{model}.parquet",
    log:
        "<logs>/scores/{recording}/{model}.log",
    benchmark:
        "<benchmarks>/scores/{recording}/{model}.tsv"
    conda:
        "../../envs/ventral.yaml"
    threads: 8
    resources:
        mem_mb=8000,
        runtime=240,
    params:
        splits=lambda wildcards: settings["recordings"][wildcards.recording]["splits"],
        folds=settings["folds"],
        penalties=as_json(penalty_grid(settings["penalties"])),
        seed=settings["seed"],
    shell:
        "python -m ventral fit {input.gram:q} {input.recording:q} {input.stimuli:q} --splits {params.splits} "
        "--folds {params.folds} --penalties {params.penalties:q} --seed {params.seed} --cores {threads} "
        "--output {output:q} --log {log:q}"


rule join:
    input:
        expand(
            "<results>/scores/{recording}/{model}.parquet",
            recording=settings["recordings"],
            model=settings["models"],
        ),
    output:
        report("<results>/scores.parquet", caption="../report/scores.rst", category="Tables"),
    log:
        "<logs>/join.log",
    conda:
        "../../envs/ventral.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    shell:
        "python -m ventral join {input:q} --output {output:q} --log {log:q}"
