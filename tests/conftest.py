"""What holds for every test."""

from hypothesis import settings

# How long an example takes is the machine's affair, and the machine is shared.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")
