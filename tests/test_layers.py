"""Blocks from input to output, and the tokens after each."""

from selftime.encoders.base import Joined
from selftime.encoders.dilated import Dilated
from selftime.encoders.resnet import ResNet
from selftime.encoders.rocket import MiniRocket


def test_blocks_of_encoders_side_by_side_are_one_where_they_are_equally_far_from_the_vectors():
    deep, flat = Dilated(channels=1, hidden=4, depth=2, dim=6), ResNet(channels=1, hidden=4)
    fixed = MiniRocket(channels=1, length=20, features=84)
    blocks = Joined(encoders=[deep, fixed, flat]).blocks()
    parts = [list(block.children()) for block in blocks]
    d, f = deep.blocks(), flat.blocks()
    assert parts == [[d[0]], [d[1], f[0]], [d[2], f[1]], [d[3], f[2]]]
