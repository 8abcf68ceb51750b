"""The stimuli themselves."""

from ventral.models.families import FIXED_FORM, ModelFamily

WITHOUT_EFFECT = ("sha256", "seed", "mean", "std", "layers", "max_layers", "trained_on")

FAMILY = ModelFamily(
    meaning="The stimuli themselves.",
    sentence="The features of {models} were the values of the stimuli's pixels.",
    architectures={"pixels": {**FIXED_FORM, "size": None, "layers": ["pixels"]}},
    is_trained=False,
    without_effect=dict.fromkeys(
        WITHOUT_EFFECT, "of `pixels`, which are taken as they are, with `size` and `interpolation` alone"
    ),
)
