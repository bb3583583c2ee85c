"""All views by name: ``view(x, rng)`` is the same series, looked at differently.

Each is drawn anew for every series of the batch, acts within the series' own length, keeps
channels apart (but ``rotate``) and lets nothing missing change a result. So two things are not
views: what mixes a series with others (mixup, cutmix), and crops that stay short, which come in
pairs (``pairs.OverlappingCrops``). The first line of a docstring says what the view does;
keyword arguments set how strongly.
"""

from selftime.views.amplitude import flip, jitter, magnitude_warp, scale
from selftime.views.masks import channel_dropout, span_mask
from selftime.views.mild import Mild, View
from selftime.views.sensors import drift, rotate, smooth, spike
from selftime.views.spectrum import frequency_mask, spectrum
from selftime.views.timing import (
    crop_resize,
    permute,
    reverse,
    shift,
    stretch,
    time_warp,
    window_warp,
)

VIEWS: dict[str, View] = {
    "mild": Mild(),
    "jitter": jitter,
    "scale": scale,
    "magnitude_warp": magnitude_warp,
    "flip": flip,
    "drift": drift,
    "spike": spike,
    "smooth": smooth,
    "rotate": rotate,
    "stretch": stretch,
    "shift": shift,
    "time_warp": time_warp,
    "window_warp": window_warp,
    "crop_resize": crop_resize,
    "permute": permute,
    "reverse": reverse,
    "channel_dropout": channel_dropout,
    "span_mask": span_mask,
    "spectrum": spectrum,
    "frequency_mask": frequency_mask,
}
"""Views with their default settings."""
