"""What other people's libraries say, where it becomes a part of what the bench says."""

_LONGEST = 300  # characters


def in_one_line(words: object) -> str:
    return " ".join(str(words).split())[:_LONGEST]


def with_kind(error: Exception) -> str:
    """`KeyError: 'x'`, where the words alone say nothing."""
    return in_one_line(f"{type(error).__name__}: {error}")
