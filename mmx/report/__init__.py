"""The page: charts, the explorer, exhibits. Nothing here computes a result."""
