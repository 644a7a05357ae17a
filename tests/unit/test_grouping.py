"""How tests are shared out among processes."""

import pytest


def test_tests_of_a_file_go_to_one_process(pytestconfig: pytest.Config, request: pytest.FixtureRequest) -> None:
    """pytest-xdist shares out by what follows the @; a release of pytest once took it away without a word."""
    grouped = request.node.nodeid.endswith("@tests/unit/test_grouping.py")
    assert grouped == pytestconfig.getoption("loadgroup", False)
