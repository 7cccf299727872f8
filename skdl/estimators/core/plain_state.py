"""Estimators whose pickles are plain: settings in a text, and arrays."""

from typing import Any

from skdl.plain import packed, unpacked


class PlainState:
    """Gives an estimator a state that any safe format can store.

    What pickle, joblib, cloudpickle, skops and `skdl.save` are given is a text in JSON,
    arrays, and those objects that are neither skdl's nor plain, such as a function of
    the user's; see `skdl.plain`. Networks are rebuilt from it layer by layer.
    """

    def _state(self) -> dict[str, Any]:
        """Return the attributes that are to be kept."""
        return dict(vars(self))

    def _take_state(self, state: dict[str, Any]) -> None:
        """Take the attributes."""
        vars(self).update(state)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state as plain data."""
        return packed(self._state())

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the state, also as skdl 0.1 pickled it.

        Raises
        ------
        ValueError
            If it is of a later version, or damaged.
        """
        if "settings" in state and "protocol" in state:
            try:
                state = unpacked(state)
            except ValueError as error:
                raise ValueError(
                    f"This {type(self).__name__} cannot be loaded: {error}."
                ) from error
        self._take_state(state)
