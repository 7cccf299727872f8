"""Texts without one of their tokens."""

from collections.abc import Sequence

from skdl.data.text import TextEncoder


def left_out_in_turn(
    encoder: TextEncoder, text: str
) -> tuple[list[str], list[Sequence[str]]]:
    """Return a text, and the same text without each of its tokens in turn.

    Where tokens stand in the text as they are, they are cut out of it, so that all else
    stays as it was written; otherwise texts are put together from the tokens.

    Returns
    -------
    texts : list of str
    cuts : list of sequence of str
        Their tokens, which are others where such a text is cut again.

    Examples
    --------
    >>> from skdl.data.analyzers import WordAnalyzer
    >>> encoder = TextEncoder(WordAnalyzer(), lowercase=True)
    >>> texts, cuts = left_out_in_turn(encoder, "A fine Film")
    >>> texts
    ['A fine Film', ' fine Film', 'A Film', 'A fine ']
    >>> cuts[:2]
    [['a', 'fine', 'film'], ['fine', 'film']]
    """
    (tokens,) = encoder.cut([text])
    cuts = [tokens, *([*tokens[:i], *tokens[i + 1 :]] for i in range(len(tokens)))]
    places = _places(encoder, text, tokens)
    if places is None:
        return [encoder.analyzer.join(cut) for cut in cuts], cuts
    return [text, *(_without(text, *place) for place in places)], cuts


def _places(
    encoder: TextEncoder, text: str, tokens: Sequence[str]
) -> list[tuple[int, int]] | None:
    """Return where tokens begin and end, None where they are not all there."""
    cased = text.lower() if encoder.lowercase else text
    if len(cased) != len(text):  # there are letters whose lower case is two
        return None
    places, end = [], 0
    for token in tokens:
        start = cased.find(token, end)
        if start < 0:
            return None
        end = start + len(token)
        places.append((start, end))
    return places


def _without(text: str, start: int, end: int) -> str:
    """Return a text without a part, and without one of two blanks around it."""
    before, after = text[:start], text[end:]
    if before[-1:].isspace() and after[:1].isspace():
        after = after[1:]
    return before + after
