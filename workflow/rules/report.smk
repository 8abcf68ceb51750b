# What the methods say of the config, beside what stands in the tables.
DESCRIBED = {
    key: settings[key]
    for key in (
        "mappings",
        "components",
        "penalties",
        "reliability_threshold",
        "bootstrap",
        "seed",
        "recorded_models",
        "reverse",
        "banded",
        "brainscore",
    )
} | {
    "features": settings["extraction"]["dtype"],
    "decoding": settings.get("decoding"),
    "rendered": {name: spec["render"] for name, spec in settings["stimuli"].items() if "render" in spec},
    "simulated": {name: spec["simulate"] for name, spec in settings["recordings"].items() if "simulate" in spec},
    "trained": CATEGORISERS,
}
# Figures that the page does not draw itself.
STILLS = [figure for figure in FIGURES if figure in ("unseen", "reverse", "fitted", "learning_curves")]


rule report_page:
    input:
        audit_of,
        # Not read: their jobs' records are.
        "<results>/comparisons.csv" if RESAMPLED else [],
        "<results>/banded.csv" if BANDED else [],
        [
            f"<results>/brainscore/{recording}.csv"
            for recording in sorted({name for name, _ in RESAMPLED})
            if settings["brainscore"]
        ],
        scores="<results>/scores.parquet",
        layer_profile="<results>/figures/layer_profile.csv",
        categorisation="<results>/figures/categorisation.csv",
        claims="<results>/claims.csv",
        ranking=["<results>/figures/ranking.csv"] if RESAMPLED else [],
        best_layers=["<results>/best_layers.csv"] if RESAMPLED else [],
        explicitness=["<results>/figures/explicitness.csv"] if "decoding" in settings else [],
        recordings=expand("<results>/recordings/{recording}.zarr", recording=settings["recordings"]),
        figures=expand("<results>/figures/{figure}.svg", figure=STILLS)
        + expand("<results>/figures/contact_sheets/{stimuli}.svg", stimuli=sets_with_files(settings)),
        # Not on the command line: they come with the code.
        template=[f"{PACKAGE}/ventral/report/page.{kind}" for kind in ("html", "css", "js")],
    output:
        page="<results>/report.html",
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
        options=options(settings=DESCRIBED),
    shell:
        command(
            "report",
            "scores layer_profile categorisation claims ranking best_layers explicitness recordings figures",
            "output=page",
            "options checked",
        )
