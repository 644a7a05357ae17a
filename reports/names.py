"""Names that somebody else chose, made fit to be shown: short, on one line, nothing that moves the reader's screen."""

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_CONTROL_PICTURES = 0x2400


def clipped(text: str, most: int = 96) -> str:
    """text on one line, its middle left out where it is longer than `most`.

    Control characters become their pictures; other unprintable ones (direction overrides among them) the replacement
    character.
    """
    shown = "".join(char if char.isprintable() else _visible(char) for char in text)
    if len(shown) <= most:
        return shown
    tail = most // 3
    return f"{shown[: most - tail - 1]}…{shown[-tail:]}"


def _visible(char: str) -> str:
    return chr(_CONTROL_PICTURES + ord(char)) if ord(char) < 0x20 else _REPLACEMENT
