"""The Ray pool: workers on every admitted node of a cluster. Alone imports ray."""
