"""Detection in sounds: with a model of them it works through both doors, and others are refused."""

import numpy as np
import pytest
from kind_toys import series_of

import selftime as st


@pytest.mark.late
@pytest.mark.parametrize("name, objective", [("sound", "ts2vec"), ("wave", "cpc")])
def test_a_model_of_sounds_scores_each_step_of_a_recording(name, objective):
    model = st.pretrain(series_of(name), objective=objective, budget="1 step", progress=False)
    one = series_of(name, 1)
    found = st.detect(one, model=model)
    assert found.scores.shape == (one.lengths[0],) and np.isfinite(found.scores).all()
    alone = st.detect(one)
    assert not np.array_equal(found.scores, alone.scores), "the model has its say"
    assert st.AnomalyDetector(model).fit(one).predict(one).shape == (1, one.lengths[0])


def test_a_recording_of_another_kind_than_the_model_reads_is_refused():
    model = st.pretrain(series_of("sound"), objective="ts2vec", budget="1 step", progress=False)
    with pytest.raises(st.SeriesError, match="got wave, wanted sound"):
        st.detect(series_of("wave", 1), model=model)
