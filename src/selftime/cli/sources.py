"""Where the data of a command come from."""

from pathlib import Path
from typing import Any, Literal, NamedTuple

from selftime.data.readers import read
from selftime.data.samples import sample
from selftime.data.series import SeriesSet
from selftime.data.tables import Columns


class Reader(NamedTuple):
    """The options for tables; calling it reads a data set.

    Attributes:
        label: column of class labels.
        id: column that names the series.
        time: column of times.
        layout: how a table is laid out.
    """

    label: str | None = None
    id: str | None = None
    time: str | None = None
    layout: Literal["long", "wide", "series"] | None = None

    def __call__(self, where: str) -> SeriesSet:
        """Series from a path, or from bundled data for ``sample:NAME`` and ``sample:NAME:train``.

        Raises:
            SeriesError: the data cannot be read as they are.
        """
        if where.startswith("sample:"):
            _, name, *split = where.split(":", 2)
            return sample(name, split[0] if split else None)
        given = {"label": self.label, "id": self.id, "time": self.time}
        named: dict[str, Any] = {name: column for name, column in given.items() if column}
        return read(Path(where), columns=Columns(**named), layout=self.layout)
