"""TF-IDF with logistic regression, as film reviews are told apart without us."""

from typing import Any

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegressionCV


def damped_tfidf() -> TfidfVectorizer:
    """Return TF-IDF with the logarithm of counts, of words that occur twice."""
    return TfidfVectorizer(sublinear_tf=True, min_df=2)


def tuned_classifier() -> Any:
    """Return logistic regression with a penalty tuned on what it is fitted on."""
    return LogisticRegressionCV(
        Cs=(1.0, 3.0, 10.0, 30.0, 100.0),
        cv=5,
        l1_ratios=(0,),
        scoring="accuracy",
        max_iter=1000,
        use_legacy_attributes=False,
    )
