"""The published data sets that a config may name."""

from ventral.datasets import (
    Dataset,
    algonauts2019,
    algonauts2023,
    cadena2019,
    cowley2023,
    freemanziemba2013,
    henaff2021,
    kriegeskorte2008,
    majajhong2015,
    muzellec2026,
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
    "zhang2011": zhang2011.DATASET,
}
# What can be downloaded, by path below the folder of downloads.
DOWNLOADS = {path: download for dataset in DATASETS.values() for path, download in dataset.downloads.items()}
