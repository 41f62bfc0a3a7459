"""What evaluation, prediction and retrieval refuse."""


class PredictError(Exception):
    """A video cannot be predicted, or a trailer has no embedding; the message says why."""


class VariantError(Exception):
    """An ablation that does not exist, or that this model cannot have; the message says which."""
