"""What numbers are measured in."""

from typing import TypeAlias

Nanoseconds: TypeAlias = float
Seconds: TypeAlias = float
Bytes: TypeAlias = int
Decibels: TypeAlias = float
Celsius: TypeAlias = float
