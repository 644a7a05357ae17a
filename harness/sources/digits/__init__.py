"""The `digits` sample: a small CNN trained on scikit-learn's handwritten digits, with real data and real accuracy."""
