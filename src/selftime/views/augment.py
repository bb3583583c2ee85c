"""All views by name: ``view(x, rng)`` is the same series, looked at differently.

Each is drawn anew for every series of the batch, acts within the series' own length, keeps
channels apart and lets nothing missing change a result. The first line of its docstring says
what it does; keyword arguments set how strongly.
"""

from selftime.views.amplitude import flip, jitter, magnitude_warp, scale
from selftime.views.masks import channel_dropout, span_mask
from selftime.views.mild import Mild, View
from selftime.views.spectrum import spectrum
from selftime.views.timing import crop_resize, permute, reverse, shift, stretch, time_warp

VIEWS: dict[str, View] = {
    "mild": Mild(),
    "jitter": jitter,
    "scale": scale,
    "magnitude_warp": magnitude_warp,
    "flip": flip,
    "stretch": stretch,
    "shift": shift,
    "time_warp": time_warp,
    "crop_resize": crop_resize,
    "permute": permute,
    "reverse": reverse,
    "channel_dropout": channel_dropout,
    "span_mask": span_mask,
    "spectrum": spectrum,
}
"""Views with their default settings."""
