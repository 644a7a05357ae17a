"""YAML as plain values, with the line and column of every key: what an error in a configuration points at."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scalarbool import ScalarBoolean

from harness.core.errors import ConfigError

# A configuration is some hundred lines; what is larger is a wrong file, or aliases that multiply.
MAX_BYTES = 1 << 20
_MAX_VALUES = 50_000

Key = str | int
# What ruamel raises besides its own errors, on numbers, dates, merges and nesting that it cannot make sense of.
_NOT_SENSE = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, AssertionError, NotImplementedError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A point in a file; line and column count from 1."""

    source: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Tree:
    """A parsed document. `root` is ruamel's round-trip node, which remembers where everything stood."""

    source: str
    text: str
    root: object

    def plain(self) -> object:
        """The document in Python's own types. Raises ConfigError where aliases make it endless."""
        try:
            return _plain(self.root, [_MAX_VALUES])
        except (OverflowError, RecursionError):
            raise ConfigError(
                f"{Place(source=self.source, line=1, column=1)}: more than {_MAX_VALUES} values; "
                "an alias that holds itself, or aliases of aliases? write the values out"
            ) from None

    def at(self, *keys: Key) -> object:
        """The node at keys, which remembers its place; None where there is none."""
        node = self.root
        for key in keys:
            if not _holds(node, key):
                return None
            node = node[key]
        return node

    def place(self, keys: Sequence[Key], *, of_key: bool = False) -> Place:
        """Where the value at `keys` stands (its key with of_key), or the nearest thing around it that exists."""
        line, column = 0, 0
        node = self.root
        for depth, key in enumerate(keys):
            if not _holds(node, key):
                break
            line, column = _mark(node, key, of_key=of_key and depth == len(keys) - 1) or (line, column)
            node = node[key]
        return Place(source=self.source, line=line + 1, column=column + 1)

    def depth(self, keys: Sequence[Key]) -> int:
        """How many of `keys` lead to something that is in the document."""
        node = self.root
        for depth, key in enumerate(keys):
            if not _holds(node, key):
                return depth
            node = node[key]
        return len(keys)


def parse(text: str, *, source: str) -> Tree:
    """Read one YAML 1.2 document. Raises ConfigError with file:line:column where it is not one."""
    yaml = YAML(typ="rt", pure=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an anchor used twice is legal
            return Tree(source, text, yaml.load(text))
    except MarkedYAMLError as error:
        raise ConfigError(_marked(error, source)) from error
    except ReaderError as error:
        before = text[: error.position] if isinstance(error.position, int) else ""
        place = Place(source=source, line=before.count("\n") + 1, column=len(before) - before.rfind("\n"))
        raise ConfigError(f"{place}: not YAML: the character {_code(error)} is not allowed; remove it") from error
    except RecursionError as error:
        raise ConfigError(f"{source}:1:1: nested too deeply to be a configuration; flatten it") from error
    except (YAMLError, *_NOT_SENSE) as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"{source}:1:1: not YAML that can be read: {reason}; put quotes around it") from error


def decode(content: bytes, *, source: str) -> str:
    """The bytes of a configuration as text. Raises ConfigError."""
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{source}:1:1: larger than allowed, {MAX_BYTES} bytes; is this a configuration?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        place = Place(source=source, line=before.count(b"\n") + 1, column=len(before) - before.rfind(b"\n"))
        raise ConfigError(
            f"{place}: byte 0x{content[error.start]:02x} is not UTF-8 text; is this a configuration, saved as UTF-8?"
        ) from error


def _marked(error: MarkedYAMLError, source: str) -> str:
    mark = error.problem_mark or error.context_mark
    place = Place(source=source, line=mark.line + 1, column=mark.column + 1) if mark else f"{source}:1:1"
    problem = " ".join(str(error.problem or error.context or "unreadable").split())
    if problem.startswith("found duplicate key"):
        key = problem.removeprefix("found duplicate key ").split(" with value")[0]
        return f"{place}: {key}: given twice in one mapping, allowed: once; remove one of them"
    if "found character '\\t'" in problem:
        return f"{place}: not YAML: indented with a tab; use spaces"
    context = f" {' '.join(str(error.context).split())}" if error.context and error.problem else ""
    return f"{place}: not YAML{context}: {problem}; check the indentation, quotes and brackets here"


def _code(error: ReaderError) -> str:
    character = error.character
    return f"U+{character if isinstance(character, int) else ord(character):04X}"


def _plain(node: object, left: list[int]) -> object:
    left[0] -= 1
    if left[0] < 0:
        raise OverflowError
    if isinstance(node, dict):
        return {_scalar(key): _plain(value, left) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(item, left) for item in node]
    return _scalar(node)


def _scalar(node: object) -> object:
    if isinstance(node, bool | ScalarBoolean):  # ruamel's own, where it carries an anchor, is an int
        return bool(node)
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node  # dates and tagged values: no key takes them, so they end as a wrong type


def _holds(node: object, key: Key) -> TypeGuard[CommentedMap | CommentedSeq]:
    if isinstance(node, CommentedMap):
        return key in node
    return isinstance(node, CommentedSeq) and isinstance(key, int) and key < len(node)


def _mark(node: CommentedMap | CommentedSeq, key: Key, *, of_key: bool) -> tuple[int, int] | None:
    """Line and column from 0; None for a key that came in through a merge (`<<`)."""
    mark: tuple[int, int] | None = None
    if isinstance(node, CommentedSeq):
        mark = node.lc.item(key)
    elif node.lc.data and key in node.lc.data:
        mark = node.lc.key(key) if of_key or node[key] is None else node.lc.value(key)
    return mark
