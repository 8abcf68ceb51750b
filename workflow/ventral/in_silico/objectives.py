"""What a stimulus should do to a neuron, as a score of responses; higher is better."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

EXCITE, INHIBIT, ONE_HOT = "excite", "inhibit", "one_hot"
OBJECTIVES = (EXCITE, INHIBIT, ONE_HOT)


@dataclass(frozen=True)
class Aim:
    """An objective for one neuron within a population.

    Attributes
    ----------
    objective : str
        `excite` and `inhibit` raise and lower the response. `one_hot` raises its share in the softmax over the
        population (Bashivan, Kar and DiCarlo 2019, Science 364:eaav9436).
    target : int
        Position of the neuron in the population.
    mean, deviation : (neurons,) arrays
        Mean and standard deviation of the predicted responses to the recording's stimuli.
    """

    objective: str
    target: int
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    def drive(self, responses: NDArray) -> NDArray[np.float64]:
        """Return responses (n, neurons) in standard deviations from the mean."""
        return (responses - self.mean) / self.deviation

    def score(self, responses: NDArray) -> NDArray[np.float64]:
        """Return the score (n,) of responses (n, neurons): the drive, its opposite, or the share of the softmax."""
        drive = self.drive(responses)
        if self.objective == ONE_HOT:
            shares = np.exp(drive - drive.max(axis=1, keepdims=True))
            return shares[:, self.target] / shares.sum(axis=1)
        return drive[:, self.target] * (1 if self.objective == EXCITE else -1)

    def differentiable(self, responses: "Tensor") -> "Tensor":
        """Return the score (n,) of responses (n, neurons) for an ascent: the logarithm of a share has larger slopes."""
        drive = (responses - responses.new_tensor(self.mean)) / responses.new_tensor(self.deviation)
        if self.objective == ONE_HOT:
            return drive.log_softmax(dim=1)[:, self.target]
        return drive[:, self.target] * (1 if self.objective == EXCITE else -1)
