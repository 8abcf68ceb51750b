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
        mappings=settings["mappings"],
        splits=lambda wildcards: settings["recordings"][wildcards.recording]["splits"],
        folds=settings["folds"],
        penalties=as_json(penalty_grid(settings["penalties"])),
        seed=settings["seed"],
    shell:
        "python -m ventral fit {input.gram:q} {input.recording:q} {input.stimuli:q} --mappings {params.mappings} "
        "--splits {params.splits} "
        "--folds {params.folds} --penalties {params.penalties:q} --seed {params.seed} --cores {threads} "
        "--output {output:q} --log {log:q}"


rule join:
    input:
        [
            f"<results>/scores/{recording}/{model}.parquet"
            for recording in settings["recordings"]
            for model in models_of(settings, recording)
        ],
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


rule selectivity:
    input:
        stimuli=lambda wildcards: f"<results>/stimuli/{settings['unseen']['stimuli']}.zarr",
        grams=lambda wildcards: expand(
            "<results>/grams/{model}/{stimuli}.zarr",
            model=settings["unseen"]["models"],
            stimuli=settings["unseen"]["stimuli"],
        ),
    output:
        "<results>/selectivity.csv",
    log:
        "<logs>/selectivity.log",
    conda:
        "../../envs/ventral.yaml"
    resources:
        mem_mb=8000,
        runtime=120,
    params:
        category=lambda wildcards: settings["unseen"]["category"],
        folds=settings["folds"],
        seed=settings["seed"],
    shell:
        "python -m ventral selectivity {input.grams:q} --stimuli {input.stimuli:q} --category {params.category:q} "
        "--folds {params.folds} --seed {params.seed} --output {output:q} --log {log:q}"
