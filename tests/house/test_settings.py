"""One reader of the signature serves repr, saving, CLI and docs."""

import pytest

from selftime.encoders.builders import BUILDERS
from selftime.encoders.builders import SPELLINGS as ENCODER_SPELLINGS
from selftime.objectives.formula import takes_steps, terms_in
from selftime.objectives.registry import OBJECTIVES
from selftime.objectives.registry import SPELLINGS as OBJECTIVE_SPELLINGS
from selftime.settings import describe, find_name, plain_name, settings_of


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


@pytest.mark.parametrize(
    "typed, meant",
    [
        *(("rocket", "rocket"), ("MiniRocket", "minirocket"), ("Mini-Rocket", "minirocket")),
        *(("ResNet", "resnet"), ("InceptionTime", "inception"), ("Inception Time", "inception")),
        *(("PatchTST", "patchtst_42"), ("PatchTST/64", "patchtst_64"), ("QUANT", "quantiles")),
        *(("TS-TCC CNN", "tstcc_cnn"), ("ts_tcc", "tstcc_cnn"), ("LSTM", "lstm")),
    ],
)
def test_encoders_are_found_in_the_papers_spelling(typed, meant):
    assert find_name("encoder", typed, BUILDERS, ENCODER_SPELLINGS) == meant


@pytest.mark.parametrize(
    "typed, meant",
    [
        *(("SimCLR", "simclr"), ("TS2Vec", "ts2vec"), ("VICReg", "vicreg"), ("BYOL", "byol")),
        *(("TS-TCC", "ts_tcc"), ("TF-C", "tf_c"), ("TFC", "tf_c"), ("I-JEPA", "jepa")),
        *(
            ("Barlow Twins", "barlow_twins"),
            ("BarlowTwins", "barlow_twins"),
            ("TST", "masked_values"),
        ),
        ("2 * Barlow Twins + TS-TCC", "2*barlow_twins + ts_tcc"),
        ("simclr+0.5*masked_patches", "simclr + 0.5*masked_patches"),
    ],
)
def test_objectives_are_found_in_the_papers_spelling(typed, meant):
    assert " + ".join(map(str, terms_in(typed))) == meant
    assert takes_steps(typed)


@pytest.mark.parametrize(
    "known, spellings", [(BUILDERS, ENCODER_SPELLINGS), (OBJECTIVES, OBJECTIVE_SPELLINGS)]
)
def test_every_spelling_means_one_thing(known, spellings):
    plain = [plain_name(name) for name in (*known, *spellings)]
    assert len(set(plain)) == len(plain)
    assert set(spellings.values()) <= set(known)


def test_a_typo_is_answered_with_the_nearest_name():
    for typed in ("rocked", "Rockett", "ROCKET1"):
        with pytest.raises(ValueError, match=f"got encoder '{typed}', wanted one of rocket, mini"):
            find_name("encoder", typed, BUILDERS, ENCODER_SPELLINGS)
        with pytest.raises(ValueError, match="patchtst_masked: did you mean 'rocket'\\?$"):
            find_name("encoder", typed, BUILDERS, ENCODER_SPELLINGS)
    with pytest.raises(ValueError, match="did you mean 'inception'"):
        find_name("encoder", "InceptionTme", BUILDERS, ENCODER_SPELLINGS)
    with pytest.raises(ValueError, match="did you mean 'ts_tcc'"):
        terms_in("simclr + TS-TC")


def test_what_resembles_nothing_is_answered_with_all_names_alone():
    with pytest.raises(ValueError, match="got encoder 'magic', wanted one of rocket, .*_masked$"):
        find_name("encoder", "magic", BUILDERS, ENCODER_SPELLINGS)
