# Parts of the config for the methods section, which the tables lack.
DESCRIBED = {
    key: settings[key]
    for key in (
        "mappings",
        "components",
        "penalties",
        "reliability_threshold",
        "bootstrap",
        "seed",
        "folds",
        "recorded_models",
        "reverse",
        "inter_animal",
        "banded",
        "partitions",
        "brainscore",
        "solution_times",
    )
} | {
    "features": settings["extraction"]["dtype"],
    "decoding": settings.get("decoding"),
    "first_layers": settings.get("first_layers"),
    "recurrence": {key: VALUES[key] for key in ("compared", "apart", "split_by")},
    "next_experiment": without(NEXT_EXPERIMENT, "added"),
    "drive": without(DRIVE, "added") if DRIVE else None,
    "tuning": IN_SILICO.get("tuning"),
    "rendered": {name: spec["render"] for name, spec in settings["stimuli"].items() if "render" in spec},
    "synthesised": {name: spec[SYNTHESIS] for name, spec in settings["stimuli"].items() if SYNTHESIS in spec},
    "simulated": {name: spec["simulate"] for name, spec in settings["recordings"].items() if "simulate" in spec},
    "trained": {
        name: {
            "modality": [modality_asked(settings["models"][name]).name],
            "labels": labels,
            "apart": settings["trainings"][name].get("apart", []),
        }
        for name, labels in CATEGORISERS.items()
    },
    "degrees": {
        kind: {name: spec["degrees"] for name, spec in settings[kind].items() if spec.get("degrees")}
        for kind in ("stimuli", "models")
    },
    "forms": {name: modality_shown(spec).formed(name, spec) for name, spec in settings["stimuli"].items()},
    "inputs": {
        name: (spec["input"], rate_of_input(spec)) for name, spec in settings["models"].items() if "input" in spec
    },
    "averaged_over_time": [name for name, spec in settings["models"].items() if spec.get("over_time") == "mean"],
    "splits": splits_with_options(settings),
    "models": list(settings["models"]),
}
# Figures that the page shows unchanged.
STILLS = [name for name, figure in FIGURES.items() if figure.still]


rule report_page:
    input:
        audit_of,
        # The page reads the records of these outputs' jobs, not the outputs.
        expand("<results>/{table}.csv", table=TABLES),
        expand("<results>/brainscore/{recording}.csv", recording=BRAINSCORED),
        # The page's files are part of the code, not arguments of the command.
        [f"{PACKAGE}/ventral/report/page.{kind}" for kind in ("html", "css", "js")],
        scores="<results>/scores.parquet",
        layer_profile="<results>/figures/layer_profile.csv",
        categorisation="<results>/figures/categorisation.csv",
        claims="<results>/claims.csv",
        ranking="<results>/figures/ranking.csv" if "ranking" in FIGURES else [],
        best_layers=MADE["best_layers"],
        behaviour="<results>/behaviour.csv" if "behaviour" in TABLES else [],
        animals="<results>/animals.csv" if "animals" in TABLES else [],
        inter_animal="<results>/inter_animal.csv" if "inter_animal" in TABLES else [],
        explicitness="<results>/figures/explicitness.csv" if "explicitness" in FIGURES else [],
        recordings=expand("<results>/recordings/{recording}.zarr", recording=settings["recordings"]),
        figures=expand("<results>/figures/{figure}.svg", figure=STILLS)
        + expand("<results>/figures/contact_sheets/{stimuli}.svg", stimuli=sets_with_files(settings)),
        played=expand("<results>/stimuli/{stimuli}.zarr", stimuli=sets_played(settings)),
    output:
        "<results>/report.html",
        provenance="<provenance>/report.json",
    log:
        "<logs>/report.log",
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(60),
        checked=options(records=f"{settings['results']}/provenance", audit=f"{settings['results']}/audit/audit.json"),
    params:
        **told("report", settings=DESCRIBED),
    shell:
        command("checked")
