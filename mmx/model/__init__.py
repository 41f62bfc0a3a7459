"""The model of the paper as plain torch modules: gating, NetVLAD, sequences, heads, losses."""
