"""The control SIFT bag of words: the local patterns of an image, and their rough positions."""

import numpy as np
import torch
from kornia.feature import DenseSIFTDescriptor
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ventral.models.controls import Control, Joined, luminance_of
from ventral.stimuli.photographs import crops

# Sides of the 4 x 4 cells of a descriptor, and the distance between descriptors, in pixels.
CELLS, STEP = (4, 8), 4
WORDS = 256
# An image is cut into 1, 2 x 2 and 4 x 4 parts.
PARTS = (1, 2, 4)
# Side and number of the parts of each photograph for learning the vocabulary, and number of descriptors in total.
CROP, CROPS, DESCRIPTORS = 128, 3, 10_000


class SIFTBag(Control):
    """Bag of visual words, from SIFT descriptors on a grid.

    Descriptors have 16 and 32 pixels (Lowe 2004, International Journal of Computer Vision 60:91) and are four pixels
    apart. They are normalised as by Arandjelović and Zisserman 2012 (CVPR, p. 2911). Each descriptor becomes the
    nearest word of a vocabulary, which k-means finds in photographs. The features are the square roots of the words'
    shares of an image. Bags of words are those of Csurka et al. 2004 (ECCV Workshop on Statistical Learning in Computer
    Vision). The square root follows Vedaldi and Zisserman 2012 (IEEE Transactions on Pattern Analysis and Machine
    Intelligence 34:480).

    Parameters
    ----------
    seed : int
        Seed of the vocabulary.

    Attributes
    ----------
    descriptors : Joined
        208,512 features for images of 128 pixels.
    bag : Shares
        256 features, one for each word.
    pyramid : Shares
        Shares in the whole image, its quarters and its sixteenths (Lazebnik, Schmid and Ponce 2006, CVPR, p. 2169),
        with 5,376 features.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.sift = nn.ModuleList(DenseSIFTDescriptor(spatial_bin_size=cell, stride=STEP, padding=0) for cell in CELLS)
        self.descriptors = Joined()
        self.words = Vocabulary(_learned(self.sift, seed))
        self.bag, self.pyramid = Shares(PARTS[:1]), Shares(PARTS)

    def represent(self, luminance: Tensor) -> Tensor:
        """Return the pyramid (n, parts * words) of luminance (n, 1, height, width)."""
        described = [sift(luminance) for sift in self.sift]
        self.descriptors(described)
        words = [self.words(descriptors) for descriptors in described]
        self.bag(words)
        return self.pyramid(words)


class Vocabulary(nn.Module):
    """The words of a vocabulary, and the choice of the nearest word.

    Parameters
    ----------
    words : (words, length) array
        Words, each of which is a descriptor.
    """

    def __init__(self, words: NDArray) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.from_numpy(words).float(), requires_grad=False)

    def forward(self, descriptors: Tensor) -> Tensor:
        """Return the nearest word (n, rows, columns) of each descriptor (n, length, rows, columns)."""
        # The nearest in distance: |d - w|² = |d|² - 2 (d · w - |w|² / 2).
        half_squares = self.weight.square().sum(dim=1) / 2
        return functional.conv2d(descriptors, self.weight[:, :, None, None], -half_squares).argmax(dim=1)


class Shares(nn.Module):
    """Square roots of the words' shares of the descriptors in each part of an image.

    Parameters
    ----------
    parts : tuple of int
        Parts along each side of an image, for each level of a pyramid.
    """

    def __init__(self, parts: tuple[int, ...]) -> None:
        super().__init__()
        self.parts = parts

    def forward(self, words: list[Tensor]) -> Tensor:
        """Return (n, parts * words), by part and word, from maps of words (n, rows, columns)."""
        levels = []
        for parts in self.parts:
            counts = torch.zeros(len(words[0]), parts**2 * WORDS, device=words[0].device)
            for map_of_words in words:
                rows, columns = (
                    torch.arange(side, device=counts.device) * parts // side for side in map_of_words.shape[1:]
                )
                bins = (rows[:, None] * parts + columns) * WORDS + map_of_words
                # Sums of ones are exact in any order.
                counts.scatter_add_(1, bins.flatten(1), torch.ones_like(bins, dtype=counts.dtype).flatten(1))
            counts = counts.unflatten(1, (parts**2, WORDS))
            levels.append(torch.sqrt(counts / counts.sum(dim=2, keepdim=True)).flatten(1))
        return torch.cat(levels, dim=1)


def _learned(sift: nn.ModuleList, seed: int) -> NDArray:
    """Return the words (WORDS, length) that k-means finds among descriptors of photographs."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    luminance = luminance_of(torch.from_numpy(crops(CROP, CROPS, seed)).double() / 255)
    with torch.no_grad():
        found = np.concatenate([maps(luminance).permute(0, 2, 3, 1).flatten(0, 2).numpy() for maps in sift])
    taken = np.random.default_rng(seed).choice(len(found), DESCRIPTORS, replace=False)
    # Rounding before and after makes words equal to the last bit on every machine.
    found = np.round(found[taken], 5)
    # Threads add up in an order of their own, and the words would depend on the cores of a job.
    with threadpool_limits(1):
        return np.round(KMeans(WORDS, init="random", n_init=1, random_state=seed).fit(found).cluster_centers_, 5)
