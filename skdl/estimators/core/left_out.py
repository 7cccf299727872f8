"""What a pickle has in place of a parameter that would make it much larger."""


class LeftOut:
    """Stands for a value that a fitted estimator no longer needs.

    Parameters
    ----------
    description : str
        What tells the value apart from others.
    """

    def __init__(self, description: str) -> None:
        self.description = description

    def __repr__(self) -> str:
        return f"<left out of the pickle: {self.description}>"
