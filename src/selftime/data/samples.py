"""The small real data sets that ship inside the package."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from selftime.data.formats.npz import kind_in
from selftime.data.series import SeriesError, SeriesSet, names_of_channels
from selftime.data.signals import Measurements

CC_BY = "CC BY 4.0"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A bundled data set; licence texts and origins: ``data/bundled/LICENCES.md``."""

    name: str
    about: str  # the measurement, its rate and units
    series: int  # number of series
    steps: tuple[int, int]  # of the shortest and the longest series
    channels: tuple[str, ...] = ()  # none where they are numbered, as pixels are
    kind: str = Measurements.name  # of signal
    splits: tuple[str, ...] = ()  # official parts, none for a single recording
    licence: str
    citation: str  # the paper to name in publications
    anomalies: tuple[tuple[int, int], ...] = ()  # (first step, last step + 1) of labelled spans


JAPANESE_VOWELS = Sample(
    name="JapaneseVowels",
    about="12 cepstrum coefficients of two spoken Japanese vowels; the class is one of 9 speakers",
    series=640,
    channels=tuple(f"coefficient {i}" for i in range(1, 13)),
    steps=(7, 29),
    splits=("train", "test"),
    licence=CC_BY,
    citation="Kudo, Toyama and Shimbo, Multidimensional curve classification using "
    "passing-through regions, Pattern Recognition Letters 20, 1999",
)
PEN_DIGITS = Sample(
    name="PenDigits",
    about="pen positions (0 to 100) at 8 points along a written digit; the class is digit + 1",
    series=10992,
    channels=("x", "y"),
    steps=(8, 8),
    splits=("train", "test"),
    licence=CC_BY,
    citation="Alimoglu and Alpaydin, Methods of combining multiple classifiers based on different "
    "representations for pen-based handwriting recognition, TAINN 1996",
)
ECG = Sample(
    name="ECG",
    about="5 minutes of electrocardiogram with many ectopic beats, MIT-BIH record 208, lead MLII, "
    "360 a second; millivolts are (value - 1024) / 200",
    series=1,
    channels=("MLII",),
    steps=(108000, 108000),
    licence="ODC-By 1.0",
    citation="Moody and Mark, The impact of the MIT-BIH Arrhythmia Database, IEEE Engineering in "
    "Medicine and Biology 20, 2001",
)
NYC_TAXI = Sample(
    name="NYCTaxi",
    about="taxi passengers in New York, half-hourly, July 2014 to January 2015, with 5 labelled "
    "anomalies (marathon, Thanksgiving, Christmas, New Year, snow storm)",
    series=1,
    channels=("passengers",),
    steps=(10320, 10320),
    licence="MIT",
    citation="Lavin and Ahmad, Evaluating real-time anomaly detection algorithms: the Numenta "
    "Anomaly Benchmark, ICMLA 2015",
    anomalies=((5839, 6046), (7080, 7287), (8423, 8630), (8731, 8938), (9977, 10184)),
)
DAPHNET = Sample(
    name="Daphnet",
    about="accelerometers on ankle, thigh and trunk of a walking person with Parkinson's disease, "
    "about 64 a second, in milli-g; no anomaly is marked",
    series=1,
    channels=tuple(
        f"{place}_{axis}"
        for place in ("ankle", "leg", "trunk")
        for axis in ("horiz_fwd", "vert", "horiz_lateral")
    ),
    steps=(7040, 7040),
    licence=CC_BY,
    citation="Baechlin et al., Wearable assistant for Parkinson's disease patients with the "
    "freezing of gait symptom, IEEE Transactions on Information Technology in Biomedicine 14, 2010",
)
DIGITS = Sample(
    name="Digits",
    about="handwritten digits as pictures of 8 x 8 pixels in 17 levels of grey, in patches of "
    "2 x 2; the class is the digit",
    kind="images",
    series=1797,
    steps=(16, 16),
    licence=CC_BY,
    citation="Alpaydin and Kaynak, Cascading classifiers, Kybernetika 34, 1998",
)
SPEECH = Sample(
    name="Speech",
    about="spoken English digits, 8,000 samples a second from -1 to 1, by 4 speakers, who are the "
    "groups; the class is the digit",
    kind="wave",
    series=160,
    steps=(1251, 6623),
    splits=("train", "test"),
    licence="CC BY-SA 4.0",
    citation="Jackson et al., Jakobovski/free-spoken-digit-dataset, v1.0.8, Zenodo, 2018",
)
TEXT = Sample(
    name="Text",
    about="the first 200,375 characters of plays by Shakespeare, line by line, with the names of "
    "speakers",
    kind="text",
    series=1,
    steps=(200375, 200375),
    licence="public domain",
    citation="Karpathy, char-rnn, 2015",
)
FILM = Sample(
    name="Film",
    about="5 seconds of a film with a rabbit, 25 frames a second of 36 x 64 pixels, grey",
    kind="film",
    series=1,
    steps=(132, 132),
    licence="CC BY 3.0",
    citation="Blender Foundation, Big Buck Bunny, 2008",
)
SAMPLES = {
    s.name: s
    for s in (JAPANESE_VOWELS, PEN_DIGITS, ECG, NYC_TAXI, DAPHNET, DIGITS, SPEECH, TEXT, FILM)
}


def samples() -> list[Sample]:
    """List the bundled data sets, with sizes, units, licences and papers to cite.

    Example:
        >>> import selftime as st
        >>> [(s.name, s.series, s.steps) for s in st.samples()][:2]
        [('JapaneseVowels', 640, (7, 29)), ('PenDigits', 10992, (8, 8))]
    """
    return list(SAMPLES.values())


def sample(name: str, split: str | None = None) -> SeriesSet:
    """Load a bundled data set; its values are those of the original files, as 32-bit floats.

    Example:
        >>> import selftime as st
        >>> st.sample("JapaneseVowels", "train")
        SeriesSet(270 series, 12 channels, 7 to 26 steps)

    Args:
        name: one of the names in :func:`samples`.
        split: "train" or "test" where the set is split officially; None gives everything.

    Raises:
        SeriesError: no set of that name, or no such split of it.
    """
    if name not in SAMPLES:
        raise SeriesError(f"got sample {name!r}, wanted one of {', '.join(SAMPLES)}")
    about = SAMPLES[name]
    if split is not None and split not in about.splits:
        raise SeriesError(
            f"got split {split!r} of sample {name!r}, wanted none"
            + "".join(f" or {part!r}" for part in about.splits)
        )
    with (files("selftime.data") / "bundled" / f"{name}.npz").open("rb") as file:
        stored = dict(np.load(file, allow_pickle=False))
    series = _unpack(stored, about)
    if split is None:
        return series
    n_train = int(stored["train"])
    return series[:n_train] if split == "train" else series[n_train:]


def _unpack(stored: Mapping[str, np.ndarray], about: Sample) -> SeriesSet:
    """Read stored integers over a divisor, which give the numbers of the original."""
    n_train = int(stored.get("train", 1))
    parts = ("train", n_train), ("test", about.series - n_train)
    split = [f"{part}-{i}" for part, count in parts for i in range(count)]
    numbers = [about.name] if about.series == 1 else list(map(str, range(about.series)))
    steps = (stored["steps"] / stored["divisor"]).astype(np.float32)
    lengths, kind = stored["lengths"].astype(np.int64), kind_in(stored)
    times = stored.get("times")
    if kind.per_second is not None:
        times = np.concatenate([np.arange(n) / kind.per_second for n in lengths])
    return SeriesSet(
        steps=steps,
        offsets=np.cumsum([0, *lengths], dtype=np.int64),
        channels=about.channels or names_of_channels(steps.shape[1]),
        ids=stored.get("ids", np.array(split if about.splits else numbers)),
        times=times,
        labels=stored.get("labels"),
        groups=stored.get("groups"),
        kind=kind,
    )
