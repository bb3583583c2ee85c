"""Small pictures, sounds, films and texts as files, for tests of readers."""

import io
from fractions import Fraction

import numpy as np
from PIL import Image
from scipy.io import wavfile


def ramp(height, width, colours=3):
    """Bytes that differ from pixel to pixel and from colour to colour."""
    rows, columns = np.mgrid[:height, :width]
    planes = [rows * 7 + columns * 3, rows * 2 + columns * 11, rows + columns][:colours]
    return np.stack(planes, axis=2).astype(np.uint8)


def picture(pixels, suffix="png", **options):
    """The bytes of a picture file of an array (height, width[, colours])."""
    file = io.BytesIO()
    Image.fromarray(np.squeeze(pixels)).save(file, {"jpg": "jpeg"}.get(suffix, suffix), **options)
    return file.getvalue()


def wav(samples, rate=8000):
    """The bytes of a wav file."""
    file = io.BytesIO()
    wavfile.write(file, rate, samples)
    return file.getvalue()


def tone(hertz, rate=8000, seconds=0.1, level=0.5):
    """Samples of a sine, 16 bits."""
    t = np.arange(round(rate * seconds)) / rate
    return np.rint(level * 32767 * np.sin(2 * np.pi * hertz * t)).astype(np.int16)


def film(frames, suffix="mp4", rate=25, place=None):
    """The bytes of a film of frames (T, height, width, 3).

    With a place they are written there, with the table of frames before them (mp4).
    """
    import av

    file = io.BytesIO() if place is None else str(place)
    options = {} if place is None else {"movflags": "faststart"}
    with av.open(file, "w", format={"mkv": "matroska"}.get(suffix, suffix), options=options) as out:
        stream = out.add_stream({"webm": "libvpx"}.get(suffix, "mpeg4"), rate=Fraction(rate))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        out.mux(stream.encode())
    return file.getvalue() if place is None else place.read_bytes()


def idx(values):
    """The bytes of an IDX file."""
    head = [0, 0, {"uint8": 8, "int32": 12}[values.dtype.name], values.ndim]
    sides = b"".join(side.to_bytes(4, "big") for side in values.shape)
    return bytes(head) + sides + values.astype(values.dtype.newbyteorder(">")).tobytes()
