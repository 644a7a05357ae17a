"""Speed and memory, measured and never asserted: `make benchmarks`, docs/performance.md."""
