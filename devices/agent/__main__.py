"""`agent.pyz supervise` talks to the host; `agent.pyz launch` is started by it, once per measurement."""

import sys


def main() -> int:
    """Run the mode named by the first argument. Imports are per mode: a launch starts lean."""
    mode = sys.argv[1] if len(sys.argv) > 1 else ""
    if mode == "launch":
        from . import launch

        return launch.main()
    if mode == "supervise":
        from . import supervisor

        return supervisor.main(sys.argv[2:])
    if mode == "prove":
        from . import proof

        return proof.main(sys.argv[2:])
    if mode == "look":
        from . import look

        return look.main()
    sys.stderr.write("usage: agent.pyz supervise [--root DIR] [--search DIR]... [--launch JSON] ...\n")
    return 2
