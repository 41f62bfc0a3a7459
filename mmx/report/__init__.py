"""The report page: charts, the explorer, examples. Computes no results."""
