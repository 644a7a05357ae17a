"""The nouns of the bench, its errors and its ports. Standard library only."""
