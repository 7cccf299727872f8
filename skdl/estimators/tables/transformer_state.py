"""What is stored of a fitted EmbeddingTransformer."""

from dataclasses import replace
from typing import Any

from skdl.estimators.core.documentation_link import DocumentationLink
from skdl.estimators.core.plain_state import PlainState


class TransformerState(PlainState, DocumentationLink):
    """Stores vectors without the vocabularies, which the network's estimator has."""

    estimator_: Any

    def _state(self) -> dict[str, Any]:
        state = super()._state()
        if "_fitted_vectors" in state:
            vectors = state.pop("_fitted_vectors")
            state["vectors"] = [part.vectors for part in vectors.by_column.values()]
            state["keep_rest"] = vectors.keep_rest
        return state

    def _take_state(self, state: dict[str, Any]) -> None:
        if "vectors" in state:
            known = state["estimator_"]._vectors()
            parts = zip(known.by_column.items(), state["vectors"], strict=True)
            by_column = {name: replace(part, vectors=v) for (name, part), v in parts}
            state["_fitted_vectors"] = replace(
                known, by_column=by_column, keep_rest=state.pop("keep_rest")
            )
            del state["vectors"]
        super()._take_state(state)
