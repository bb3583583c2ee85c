"""One reader of the signature serves repr, saving, CLI and docs."""

import pytest

from selftime.settings import describe, settings_of


class Kept:
    def __init__(self, size: int, *, name: str = "a") -> None:
        self.size, self.name, self.derived = size, name, size * 2


class Dropped:
    def __init__(self, *, size: int, name: str) -> None:
        self.size = size


def test_settings_are_the_arguments_and_nothing_else():
    assert settings_of(Kept(3)) == {"size": 3, "name": "a"}


def test_settings_build_an_equal_object():
    first = Kept(3, name="b")
    assert settings_of(Kept(**settings_of(first))) == settings_of(first)


def test_settings_are_read_when_asked_for():
    changed = Kept(3)
    changed.size = 5
    assert settings_of(changed)["size"] == 5


def test_an_argument_that_was_not_kept_is_named():
    with pytest.raises(AttributeError, match="'name'"):
        settings_of(Dropped(size=1, name="a"))


def test_describe_reads_like_the_call():
    assert describe(Kept(3, name="b")) == "Kept(size=3, name='b')"


def test_nothing_to_set_is_an_empty_call():
    class Plain:
        pass

    assert settings_of(Plain()) == {}
    assert describe(Plain()) == "Plain()"
