"""A language model
================

A language model on film reviews: what it finds likely, writes and sees alike. And what
texts are for besides: few labels beside many texts, and log lines that are not like the
others.

Takes the film reviews of the benchmarks, or where they are not there reviews made by
rule. Draws ``text_training.png`` and ``text_surprise.png`` into ``output/`` (or
``$SKDL_OUTPUT``).
"""

# %%
import os
from pathlib import Path

from skdl import (
    SurpriseDisplay,
    TextClassifier,
    TextLM,
    TextOutlierDetector,
    TrainingDisplay,
)
from skdl.datasets import load_movie_reviews, make_reviews

OUTPUT = Path(os.environ.get("SKDL_OUTPUT", "output"))
OUTPUT.mkdir(exist_ok=True)

try:
    texts = load_movie_reviews().data[:120].tolist()
    beginnings = ["the film is", "i have never seen"]
except FileNotFoundError:
    texts = make_reviews(400, random_state=0).data.tolist()
    beginnings = ["the film is", "i found the"]
held_out, texts = texts[::10], [t for i, t in enumerate(texts) if i % 10]

# %%
# Train; words that occur less than three times are <unk>.
model = TextLM(
    lowercase=True,
    min_frequency=3,
    hidden_size=128,
    max_epochs=2,
    batch_size=16,
    random_state=0,
    verbose=2,
)
model.fit(texts, X_val=held_out)
print(f"perplexity of held-out texts: {model.perplexity(held_out):.1f}")
TrainingDisplay.from_estimator(model).figure_.savefig(
    OUTPUT / "text_training.png", dpi=100
)

# %%
# What comes next, and a text of its own.
tokens, chances = model.predict_next(beginnings, k=5)
for text, words, p in zip(beginnings, tokens, chances, strict=True):
    print(text, "...", ", ".join(f"{w} {c:.2f}" for w, c in zip(words, p, strict=True)))
for text, more in zip(
    beginnings,
    model.generate(beginnings, max_new_tokens=30, top_p=0.9, random_state=0),
    strict=True,
):
    print(f"{text} | {more}")

# %%
# A vector for every document.
print(model.set_output(transform="pandas").transform(held_out).iloc[:3, :4])

# %%
# Few labels beside many texts: which words go together is learned from all of them.
reviews, labels = make_reviews(300, random_state=0, return_X_y=True)
few = TextClassifier(random_state=0)
few.fit(reviews[:30], labels[:30], unlabeled=reviews[30:200])
print(f"accuracy with 30 labels: {few.score(reviews[200:], labels[200:]):.2f}")

# %%
# A line that is not like the others, though each of its words is common.
logs = ["open read close", "open write sync close"] * 100
detector = TextOutlierDetector(random_state=0).fit(logs)
print(detector.predict([logs[0], "open write close"]))
SurpriseDisplay.from_estimator(detector, ["open write close"]).figure_.savefig(
    OUTPUT / "text_surprise.png", dpi=100
)
