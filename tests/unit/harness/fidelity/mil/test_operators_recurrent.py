"""Recurrent layers, against loops over steps at float64."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from harness.core.target import Target
from harness.fidelity.mil.operators.recurrent import TRANSLATIONS
from tests.support.mil_cases import Real, case, normal
from tests.support.mil_oracle import Array, Case, Result, measure, misses, operators, sweep

pytestmark = pytest.mark.thorough

IOS15, IOS17, IOS18 = Target.IOS15, Target.IOS17, Target.IOS18
RANDOM = np.random.default_rng(4)
STEPS, BATCH, INPUT, SIZE = 5, 3, 4, 6

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "scaled_tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "linear": lambda x: x,
    "hard_sigmoid": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "sigmoid_hard": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
}

Given = dict[str, Any]


def weights(gates: int, real: Real, suffix: str = "") -> Given:
    return {
        f"weight_ih{suffix}": normal(RANDOM, gates * SIZE, INPUT, real=real),
        f"weight_hh{suffix}": (normal(RANDOM, gates * SIZE, SIZE) / 3).astype(real),
        f"bias{suffix}": normal(RANDOM, gates * SIZE, real=real),
    }


def wide(given: Given, name: str) -> Array | None:
    value = given.get(name)
    return None if value is None else np.asarray(value, np.float64)


def run_lstm(x: Array, h: Array, c: Array, given: Given, suffix: str) -> tuple[list[Array], Array, Array]:
    """Outputs in the order of the steps, and both states."""
    w, r, b = (wide(given, f"{name}{suffix}") for name in ("weight_ih", "weight_hh", "bias"))
    assert w is not None
    assert r is not None
    peephole = wide(given, f"peephole{suffix}")
    p = np.zeros(3 * SIZE) if peephole is None else peephole
    inner, into, out = (
        ACTIVATIONS[given.get(name, default)]
        for name, default in (("recurrent_activation", "sigmoid"), ("cell_activation", "tanh"), ("activation", "tanh"))
    )
    outputs = []
    for now in x:
        gates = now @ w.T + h @ r.T + (0 if b is None else b)
        i, f, o, z = np.split(gates, 4, -1)
        keep, enter = inner(f + p[SIZE : 2 * SIZE] * c), inner(i + p[:SIZE] * c)
        c = keep * c + enter * into(z)
        if "clip" in given:
            c = np.clip(c, -given["clip"], given["clip"])
        h = inner(o + p[2 * SIZE :] * c) * out(c)
        outputs.append(h)
    return outputs, h, c


def lstm(given: Given) -> Callable[..., list[Array]]:
    def expect(x: Array, initial_h: Array, initial_c: Array) -> list[Array]:
        if given.get("direction") != "bidirectional":
            backwards = given.get("direction") == "reverse"
            outputs, h, c = run_lstm(x[::-1] if backwards else x, initial_h, initial_c, given, "")
            return [np.stack(outputs) if given.get("output_sequence") else h[None], h, c]
        ahead = run_lstm(x, initial_h[:, :SIZE], initial_c[:, :SIZE], given, "")
        back = run_lstm(x[::-1], initial_h[:, SIZE:], initial_c[:, SIZE:], given, "_back")
        h, c = (np.concatenate(pair, 1) for pair in ((ahead[1], back[1]), (ahead[2], back[2])))
        both = np.concatenate([np.stack(ahead[0]), np.stack(back[0][::-1])], 2)
        return [both if given.get("output_sequence") else h[None], h, c]

    return expect


def lstms(real: Real) -> Iterator[Case]:
    target = IOS17 if real is np.float16 else IOS15
    forms: list[Given] = [
        {"output_sequence": whole, "direction": direction}
        for whole, direction in itertools.product((True, False), ("forward", "reverse", "bidirectional"))
    ]
    peephole = {"peephole": normal(RANDOM, 3 * SIZE, real=real)}
    forms += [peephole, {**peephole, "clip": real(0.25)}, {"clip": real(0.1), "output_sequence": True}]
    for name in ("recurrent_activation", "cell_activation", "activation"):
        forms += [{name: activation} for activation in ACTIVATIONS if activation != "sigmoid_hard"]
    for form in forms:
        both = form.get("direction") == "bidirectional"
        given = {**weights(4, real), **(weights(4, real, "_back") if both else {}), **form}
        if both:
            given["peephole_back"] = normal(RANDOM, 3 * SIZE, real=real)
        if form.get("direction") == "reverse":
            del given["bias"]
        states = {name: normal(RANDOM, BATCH, SIZE * (1 + both), real=real) for name in ("initial_h", "initial_c")}
        yield case("lstm", lstm(given), target, given, x=normal(RANDOM, STEPS, BATCH, INPUT, real=real), **states)


def gru(given: Given) -> Callable[..., list[Array]]:
    def expect(x: Array, initial_h: Array) -> list[Array]:
        h, outputs = initial_h, []
        w, r, b, own = (wide(given, name) for name in ("weight_ih", "weight_hh", "bias", "input_bias"))
        assert w is not None
        assert r is not None
        w_r, w_o, w_z = np.split(w, 3)
        r_r, r_o, r_z = np.split(r, 3)
        b_r, b_o, b_z = np.split(np.zeros(3 * SIZE) if b is None else b, 3)
        i_r, i_o, i_z = np.split(np.zeros(3 * SIZE) if own is None else own, 3)
        inner = ACTIVATIONS[given.get("recurrent_activation", "sigmoid")]
        outer = ACTIVATIONS[given.get("activation", "tanh")]
        for now in x[::-1] if given.get("direction") == "reverse" else x:
            reset = inner(now @ w_r.T + h @ r_r.T + b_r + i_r)
            update = inner(now @ w_z.T + h @ r_z.T + b_z + i_z)
            if given.get("reset_after"):
                fresh = outer(now @ w_o.T + i_o + reset * (h @ r_o.T + b_o))
            else:
                fresh = outer(now @ w_o.T + i_o + (reset * h) @ r_o.T + b_o)
            h = (1 - update) * fresh + update * h
            outputs.append(h)
        return [np.stack(outputs) if given.get("output_sequence") else h[None], h]

    return expect


def grus(real: Real) -> Iterator[Case]:
    target = IOS17 if real is np.float16 else IOS15
    forms: list[Given] = [
        {"output_sequence": whole, "direction": direction}
        for whole, direction in itertools.product((True, False), ("forward", "reverse"))
    ]
    forms += [{name: activation} for name in ("recurrent_activation", "activation") for activation in ACTIVATIONS]
    states = {"initial_h": normal(RANDOM, BATCH, SIZE, real=real)}
    for form in forms:
        given = {**weights(3, real), **form}
        if form == {"output_sequence": True, "direction": "reverse"}:
            del given["bias"]
        yield case("gru", gru(given), target, given, x=normal(RANDOM, STEPS, BATCH, INPUT, real=real), **states)
    own = {"input_bias": normal(RANDOM, 3 * SIZE, real=real)}
    for newer in ({"reset_after": True, **own}, {"reset_after": True}, {"reset_after": False, **own}):
        given = {**weights(3, real), "output_sequence": True, **newer}
        yield case("gru", gru(given), IOS18, given, x=normal(RANDOM, STEPS, BATCH, INPUT, real=real), **states)


def rnn(given: Given) -> Callable[..., list[Array]]:
    def expect(x: Array, initial_h: Array) -> list[Array]:
        h, outputs = initial_h, []
        w, r, b = (wide(given, name) for name in ("weight_ih", "weight_hh", "bias"))
        assert w is not None
        assert r is not None
        for now in x[::-1] if given.get("direction") == "reverse" else x:
            h = ACTIVATIONS[given.get("activation", "tanh")](now @ w.T + h @ r.T + (0 if b is None else b))
            outputs.append(h)
        return [np.stack(outputs) if given.get("output_sequence") else h[None], h]

    return expect


def rnns(real: Real) -> Iterator[Case]:
    target = IOS17 if real is np.float16 else IOS15
    forms: list[Given] = [
        {"output_sequence": whole, "direction": direction}
        for whole, direction in itertools.product((True, False), ("forward", "reverse"))
    ]
    forms += [{"activation": activation} for activation in ACTIVATIONS if activation != "hard_sigmoid"]
    for form in forms:
        given, states = {**weights(1, real), **form}, {"initial_h": normal(RANDOM, BATCH, SIZE, real=real)}
        yield case("rnn", rnn(given), target, given, x=normal(RANDOM, STEPS, BATCH, INPUT, real=real), **states)


CASES = [*sweep(lstms), *sweep(grus), *sweep(rnns)]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, ...]:
    return measure(CASES, tmp_path_factory.mktemp("programs"))


@pytest.mark.parametrize("op", operators(CASES))
def test_operation_is_what_float64_gives(op: str, results: tuple[Result, ...]) -> None:
    assert misses(results, op) == []


def test_every_translation_is_swept() -> None:
    assert set(TRANSLATIONS) - set(operators(CASES)) == set()
