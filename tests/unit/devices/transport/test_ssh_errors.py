import importlib
import inspect
import pkgutil
import socket
from collections.abc import Iterator

import paramiko
import pytest

from devices.transport.ssh_errors import FOREIGN, translate
from harness.core.errors import DeviceError, DeviceLost, DeviceRefused

_NOT_HERE = ("paramiko.win_pageant", "paramiko.win_openssh", "paramiko._winapi")


def exceptions_of_paramiko() -> Iterator[type[BaseException]]:
    for module in pkgutil.iter_modules(paramiko.__path__, "paramiko."):
        if module.name not in _NOT_HERE:
            for found in vars(importlib.import_module(module.name)).values():
                if inspect.isclass(found) and issubclass(found, BaseException) and found.__module__ == module.name:
                    yield found


def exceptions_of_sockets() -> Iterator[type[BaseException]]:
    public = [each for name, each in vars(socket).items() if not name.startswith("_") and inspect.isclass(each)]
    found = [each for each in public if issubclass(each, BaseException)]
    yield from (*found, OSError, *OSError.__subclasses__())


EACH = sorted({*exceptions_of_paramiko(), *exceptions_of_sockets(), EOFError}, key=lambda each: each.__name__)


@pytest.mark.parametrize("kind", EACH)
def test_every_exception_of_paramiko_and_of_sockets_is_translated(kind: type[BaseException]) -> None:
    exc = kind.__new__(kind)
    if kind.__init__ in (Exception.__init__, OSError.__init__):
        exc = kind("words")
    assert isinstance(exc, FOREIGN)
    if type(exc).__str__ in (Exception.__str__, OSError.__str__, BaseException.__str__):
        assert str(translate("board", "doing", exc)).startswith("board: doing: ")


@pytest.mark.parametrize(
    ("exc", "kind", "words"),
    [
        (paramiko.AuthenticationException("no"), DeviceRefused, "refused user, key or password: no"),
        (paramiko.BadAuthenticationType("no", ["publickey"]), DeviceRefused, "no such way to log in"),
        (paramiko.PasswordRequiredException("no"), DeviceRefused, "ssh-add"),
        (paramiko.SSHException("Error\nreading"), DeviceLost, "broke: Error / reading"),
        (paramiko.ChannelException(1, "no"), DeviceLost, "opens no channel"),
        (ConnectionRefusedError(111, "Connection refused"), DeviceLost, "nothing listens there"),
        (ConnectionResetError(104, "Connection reset by peer"), DeviceLost, "broke: Connection reset by peer"),
        (TimeoutError(), DeviceLost, "no answer in time"),
        (socket.gaierror(-2, "Name or service not known"), DeviceLost, "cannot be resolved: Name or service"),
        (OSError(113, "No route to host"), DeviceLost, "No route to host"),
        (EOFError(), DeviceLost, "ended"),
    ],
)
def test_what_a_person_reads(exc: BaseException, kind: type[DeviceError], words: str) -> None:
    error = translate("board", "u@h", exc)
    assert type(error) is kind
    assert words in str(error)
    assert "\n" not in str(error)


def test_what_is_not_foreign_is_not_translated() -> None:
    with pytest.raises(KeyError):
        translate("board", "doing", ZeroDivisionError())
