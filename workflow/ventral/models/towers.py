"""The part of a model of images and texts that sees images."""

from torch import Tensor, nn


class ImageTower(nn.Module):
    """Modules of a model of images and texts, by the model's own names, each of which is given what the last one gave.

    Parameters
    ----------
    model : nn.Module
        The whole model.
    names : sequence of str
        Names of its modules, in order. Those that the model does not have are passed over.
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
            # A model of transformers gives all that it has.
            values = getattr(values, "pooler_output", values)
        return values
