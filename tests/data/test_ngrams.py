"""Counts of runs are scikit-learn's, whatever the lengths."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from skdl.data.analyzers import WordAnalyzer
from skdl.data.ngrams import NgramCounter
from skdl.data.text import TextEncoder

TEXTS = ["a b a b c", "", "b a", "c", "a b c a b c", "d a b"]


def counted(n_range, least, texts=TEXTS):
    encoder = TextEncoder(WordAnalyzer())
    stream = encoder.fit_transform(texts)
    left_out = encoder.end_id, encoder.unknown_id
    counter = NgramCounter(n_range, len(encoder.tokens), left_out, min_documents=least)
    return encoder, counter, counter.fit_transform(stream)


@pytest.mark.parametrize("n_range", [(1, 1), (1, 2), (1, 3), (2, 2), (2, 4)])
@pytest.mark.parametrize("least", [1, 2])
def test_counts_are_those_of_a_count_vectorizer(n_range, least):
    encoder, counter, counts = counted(n_range, least)
    theirs = CountVectorizer(
        ngram_range=n_range, min_df=least, token_pattern=r"\S+"
    ).fit(TEXTS)
    names = [" ".join(encoder.tokens[i] for i in run) for run in counter.runs()]
    assert sorted(names) == theirs.get_feature_names_out().tolist()
    order = [theirs.vocabulary_[name] for name in names]
    for texts in (TEXTS, ["b c a b", "z a z b", "a b z c", "z"]):
        found = counter.transform(encoder.transform(texts)).toarray()
        expected = theirs.transform(texts).toarray()[:, order]
        np.testing.assert_array_equal(found, expected)
    assert counts.shape == (6, counter.n_columns)
    assert counter.n_words == (n_range[0] == 1) * sum(
        len(r) == 1 for r in counter.runs()
    )


def test_nothing_to_count_is_no_columns():
    _, counter, counts = counted((1, 3), 1, ["", ""])
    assert counts.shape == (2, 0)
    assert counter.runs() == []
