"""Numbers in order, in blocks of about the root of their count: one comes or goes in few steps.

A sorted array moves half of its numbers for each that comes or goes. Here those of one block are
moved, after a look at the last of each block before it.
"""

import numpy as np

from selftime.encoders.fixed.compiling_numba import compile_kernel


@compile_kernel()
def fill_blocks(ordered: np.ndarray, blocks: np.ndarray, counts: np.ndarray) -> None:
    """Spread sorted numbers evenly over blocks (B,S), of which (B,) are in use."""
    start = 0
    for b in range(len(counts)):
        stop = len(ordered) * (b + 1) // len(counts)
        counts[b] = stop - start
        for k in range(start, stop):
            blocks[b, k - start] = ordered[k]
        start = stop


@compile_kernel()
def ordered_in(blocks: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return all numbers in order."""
    out, place = np.empty(counts.sum()), 0
    for b in range(len(counts)):
        for k in range(counts[b]):
            out[place] = blocks[b, k]
            place += 1
    return out


@compile_kernel()
def number_at(blocks: np.ndarray, counts: np.ndarray, place: int) -> float:
    """Return the number at a place in the order, counted from 0."""
    b = 0
    while place >= counts[b]:
        place -= counts[b]
        b += 1
    return blocks[b, place]  # type: ignore[no-any-return]


@compile_kernel()
def exchange_numbers(
    blocks: np.ndarray, counts: np.ndarray, leaving: np.ndarray, coming: np.ndarray
) -> None:
    """Take numbers out, which must be there, and put others in."""
    for number in leaving:
        b = _block_of(blocks, counts, number)
        k = 0
        while blocks[b, k] < number:
            k += 1
        counts[b] -= 1
        for n in range(k, counts[b]):
            blocks[b, n] = blocks[b, n + 1]
    for number in coming:
        b = _block_of(blocks, counts, number)
        if counts[b] == blocks.shape[1]:
            fill_blocks(ordered_in(blocks, counts), blocks, counts)
            b = _block_of(blocks, counts, number)
        k = counts[b]
        while k > 0 and blocks[b, k - 1] > number:
            blocks[b, k] = blocks[b, k - 1]
            k -= 1
        blocks[b, k] = number
        counts[b] += 1


@compile_kernel()
def _block_of(blocks: np.ndarray, counts: np.ndarray, number: float) -> int:
    """Return the first block that ends with this number or a greater one; else the last."""
    for b in range(len(counts)):
        if counts[b] > 0 and blocks[b, counts[b] - 1] >= number:
            return b
    return len(counts) - 1
