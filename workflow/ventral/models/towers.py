"""The part of a model of images and texts that sees images."""

from torch import Tensor, nn


class ImageTower(nn.Module):
    """A chain of modules of a model of images and texts, under the model's own names.

    Parameters
    ----------
    model : nn.Module
        Whole model.
    names : sequence of str
        Names of its modules, in order; names that the model does not have are skipped.
    """

    def __init__(self, model: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        for name in names:
            if isinstance(getattr(model, name, None), nn.Module):
                self.add_module(name, getattr(model, name))

    def forward(self, images: Tensor) -> Tensor:
        """Return (n, features) of images (n, 3, height, width)."""
        values = images
        for part in self.children():
            values = part(values)
            # A model of transformers returns several tensors.
            values = getattr(values, "pooler_output", values)
        return values
