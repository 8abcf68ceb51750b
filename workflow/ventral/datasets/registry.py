"""The published data sets that a config may name."""

from ventral.datasets import (
    Dataset,
    algonauts2019,
    algonauts2023,
    cadena2019,
    cowley2023,
    freemanziemba2013,
    geirhos2019_shapes,
    henaff2021,
    kriegeskorte2008,
    majajhong2015,
    mur2013_judgements,
    muzellec2026,
    natsound165,
    normanhaignere2022,
    nsd,
    things_fmri,
    triplen,
    tvsd,
    zhang2011,
)

DATASETS: dict[str, Dataset] = {
    "cowley2023": cowley2023.DATASET,
    "kriegeskorte2008": kriegeskorte2008.DATASET,
    "algonauts2019": algonauts2019.DATASET,
    "henaff2021": henaff2021.DATASET,
    "tvsd": tvsd.DATASET,
    "majajhong2015": majajhong2015.DATASET,
    "freemanziemba2013": freemanziemba2013.DATASET,
    "nsd": nsd.DATASET,
    "things_fmri": things_fmri.DATASET,
    "algonauts2023": algonauts2023.DATASET,
    "triplen": triplen.DATASET,
    "cadena2019": cadena2019.DATASET,
    "muzellec2026": muzellec2026.DATASET,
    "natsound165": natsound165.DATASET,
    "normanhaignere2022": normanhaignere2022.DATASET,
    "geirhos2019_shapes": geirhos2019_shapes.DATASET,
    "mur2013_judgements": mur2013_judgements.DATASET,
    "zhang2011": zhang2011.DATASET,
}
# What can be downloaded, by path below the folder of downloads.
DOWNLOADS = {path: download for dataset in DATASETS.values() for path, download in dataset.downloads.items()}
