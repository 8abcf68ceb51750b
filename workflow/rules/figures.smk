rule layer_profile:
    input:
        scores="<results>/scores.parquet",
        bootstraps=[f"<results>/bootstraps/{recording}/{model}.parquet" for recording, model in RESAMPLED],
    output:
        svg=report(
            "<results>/figures/layer_profile.svg",
            caption="../report/layer_profile.rst",
            category="Figures",
            labels={"figure": "Predictivity by layer"},
        ),
        pdf="<results>/figures/layer_profile.pdf",
        csv=report(
            "<results>/figures/layer_profile.csv",
            caption="../report/layer_profile.rst",
            category="Tables",
            labels={"table": "Predictivity by layer"},
        ),
        provenance="<provenance>/figures/layer_profile.json",
    log:
        "<logs>/figures/layer_profile.log",
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(60),
    params:
        options=options(
            reliability_threshold=settings["reliability_threshold"],
            n_bootstrap=settings["bootstrap"],
            seed=settings["seed"],
        ),
        bootstraps=lambda wildcards, input: in_braces(input.bootstraps),
    shell:
        command("layer_profile", "scores bootstraps=params.bootstraps", FIGURE, "options")


rule categorisation:
    input:
        scores="<results>/scores.parquet",
    output:
        svg=report(
            "<results>/figures/categorisation.svg",
            caption="../report/categorisation.rst",
            category="Figures",
            labels={"figure": "Categorisation against predictivity"},
        ),
        pdf="<results>/figures/categorisation.pdf",
        csv=report(
            "<results>/figures/categorisation.csv",
            caption="../report/categorisation.rst",
            category="Tables",
            labels={"table": "Categorisation against predictivity"},
        ),
        provenance="<provenance>/figures/categorisation.json",
    log:
        "<logs>/figures/categorisation.log",
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(60),
    params:
        options=options(
            reliability_threshold=settings["reliability_threshold"],
            n_bootstrap=settings["bootstrap"],
            seed=settings["seed"],
        ),
    shell:
        command("categorisation", "scores", FIGURE, "options")


rule ranking:
    input:
        bootstraps=[f"<results>/bootstraps/{recording}/{model}.parquet" for recording, model in RESAMPLED],
        best_layers="<results>/best_layers.csv",
    output:
        svg=report(
            "<results>/figures/ranking.svg",
            caption="../report/ranking.rst",
            category="Figures",
            labels={"figure": "Ranking of the models"},
        ),
        pdf="<results>/figures/ranking.pdf",
        csv=report(
            "<results>/figures/ranking.csv",
            caption="../report/ranking.rst",
            category="Tables",
            labels={"table": "Ranking of the models"},
        ),
        provenance="<provenance>/figures/ranking.json",
    log:
        "<logs>/figures/ranking.log",
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(60),
    params:
        bootstraps=lambda wildcards, input: in_braces(input.bootstraps),
    shell:
        command("ranking", "bootstraps=params.bootstraps best_layers", FIGURE)


rule contact_sheet:
    input:
        stimuli="<results>/stimuli/{stimuli}.zarr",
    output:
        svg=report(
            "<results>/figures/contact_sheets/{stimuli}.svg",
            caption="../report/contact_sheet.rst",
            category="Stimuli",
            labels={"figure": "{stimuli}"},
        ),
        pdf="<results>/figures/contact_sheets/{stimuli}.pdf",
        csv="<results>/figures/contact_sheets/{stimuli}.csv",
        provenance="<provenance>/figures/contact_sheets/{stimuli}.json",
    log:
        "<logs>/figures/contact_sheets/{stimuli}.log",
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(60),
    shell:
        command("contact_sheet", "stimuli", FIGURE)


rule unseen:
    input:
        selectivity="<results>/selectivity.csv",
        scores="<results>/scores.parquet",
    output:
        svg=report(
            "<results>/figures/unseen.svg",
            caption="../report/unseen.rst",
            category="Figures",
            labels={"figure": "A category that was never seen"},
        ),
        pdf="<results>/figures/unseen.pdf",
        csv=report(
            "<results>/figures/unseen.csv",
            caption="../report/unseen.rst",
            category="Tables",
            labels={"table": "A category that was never seen"},
        ),
        provenance="<provenance>/figures/unseen.json",
    log:
        "<logs>/figures/unseen.log",
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(60),
    shell:
        command("unseen", "selectivity scores", FIGURE)


rule reverse_figure:
    input:
        tables=[
            f"<results>/reverse/{recording}/{model}.parquet"
            for recording in settings["reverse"]
            for model in models_of(settings, recording)
        ],
        areas=[areas_of(recording) for recording in settings["reverse"]],
        scores="<results>/scores.parquet",
    output:
        svg=report(
            "<results>/figures/reverse.svg",
            caption="../report/reverse.rst",
            category="Figures",
            labels={"figure": "Reverse predictivity"},
        ),
        pdf="<results>/figures/reverse.pdf",
        csv=report(
            "<results>/figures/reverse.csv",
            caption="../report/reverse.rst",
            category="Tables",
            labels={"table": "Reverse predictivity"},
        ),
        provenance="<provenance>/figures/reverse.json",
    log:
        "<logs>/figures/reverse.log",
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(60),
    params:
        options=options(
            reliability_threshold=settings["reliability_threshold"],
            n_bootstrap=settings["bootstrap"],
            seed=settings["seed"],
        ),
        tables=lambda wildcards, input: in_braces(input.tables),
    shell:
        command("reverse_figure", "tables=params.tables areas scores", FIGURE, "options")


rule fitted:
    input:
        trainings=expand("<results>/models/{model}", model=FITTED),
        scores="<results>/scores.parquet",
    output:
        svg=report(
            "<results>/figures/fitted.svg",
            caption="../report/fitted.rst",
            category="Figures",
            labels={"figure": "Networks fitted to neurons"},
        ),
        pdf="<results>/figures/fitted.pdf",
        csv=report(
            "<results>/figures/fitted.csv",
            caption="../report/fitted.rst",
            category="Tables",
            labels={"table": "Networks fitted to neurons"},
        ),
        provenance="<provenance>/figures/fitted.json",
    log:
        "<logs>/figures/fitted.log",
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(60),
    params:
        options=options(
            recordings=list(FITTED.values()),
            reliability_threshold=settings["reliability_threshold"],
            n_bootstrap=settings["bootstrap"],
            seed=settings["seed"],
        ),
    shell:
        command("fitted", "trainings scores", FIGURE, "options")


rule learning_curves:
    input:
        trainings=expand("<results>/models/{model}", model=CATEGORISERS),
    output:
        svg=report(
            "<results>/figures/learning_curves.svg",
            caption="../report/learning_curves.rst",
            category="Figures",
            labels={"figure": "Learning curves"},
        ),
        pdf="<results>/figures/learning_curves.pdf",
        csv="<results>/figures/learning_curves.csv",
        provenance="<provenance>/figures/learning_curves.json",
    log:
        "<logs>/figures/learning_curves.log",
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(60),
    shell:
        command("learning_curves", "trainings", FIGURE)


rule claims:
    input:
        scores="<results>/scores.parquet",
        fitted=["<results>/figures/fitted.csv"] if FITTED else [],
        selectivity=["<results>/selectivity.csv"] if "unseen" in settings else [],
    output:
        table=report(
            "<results>/claims.csv",
            caption="../report/claims.rst",
            category="Tables",
            labels={"table": "Which claims hold"},
        ),
        provenance="<provenance>/claims.json",
    log:
        "<logs>/claims.log",
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(60),
    params:
        options=options(
            reliability_threshold=settings["reliability_threshold"],
            n_bootstrap=settings["bootstrap"],
            seed=settings["seed"],
        ),
    shell:
        command("claims", "scores fitted selectivity", "output=table", "options")
