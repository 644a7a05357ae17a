"""Models damaged at random, thrown at the bench: `make fuzz COUNT=500`. A short run of it is among the tests."""
