from snakemake.utils import min_version

min_version("9.20")


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/stimuli.smk"
include: "workflow/rules/recordings.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/activations.smk"
include: "workflow/rules/grams.smk"
include: "workflow/rules/scores.smk"
include: "workflow/rules/decoding.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/audit.smk"


rule all:
    default_target: True
    input:
        "<results>/report.html",
        "<results>/scores.parquet",
        "<results>/claims.csv",
        ["<results>/banded.csv"] if BANDED else [],
        [
            f"<results>/brainscore/{recording}.csv"
            for recording in sorted({name for name, _ in RESAMPLED})
            if settings["brainscore"]
        ],
        ["<results>/best_layers.csv", "<results>/comparisons.csv"] if RESAMPLED else [],
        expand("<results>/figures/{figure}.{format}", figure=FIGURES, format=["svg", "pdf", "csv"]),
        expand(
            "<results>/figures/contact_sheets/{stimuli}.{format}",
            stimuli=settings["stimuli"],
            format=["svg", "pdf", "csv"],
        ),


include: "workflow/rules/crate.smk"
include: "workflow/rules/changes.smk"
