"""The losses of the paper: weighted binary cross-entropy (eq. 3) and contrast (eq. 4, 5)."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, normalize


def positive_weights(labels: Tensor, cap: float) -> Tensor:
    """p_g of equation 3: negatives over positives per genre, at most `cap`.

    Args:
        labels: 0 or 1, [trailers, genres].
        cap: largest weight; a genre without a positive gets it.

    Returns:
        float32 [genres].
    """
    positives = labels.float().sum(0)
    return ((len(labels) - positives) / positives).nan_to_num(nan=cap).clamp(max=cap)


def weighted_bce(logits: Tensor, labels: Tensor, positive: Tensor) -> Tensor:
    """Equation 3 with w = 1, averaged over batch and genres.

        -[p_g y log sigma(u) + (1 - y) log(1 - sigma(u))]

    Args:
        logits: u, [batch, genres].
        labels: y, 0 or 1, [batch, genres].
        positive: p_g, [genres].

    Returns:
        A scalar, in float32 whatever the precision of the logits.
    """
    return binary_cross_entropy_with_logits(logits.float(), labels.float(), pos_weight=positive)


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """NT-Xent in SimCLR's form: equations 4 and 5, the positive kept in the denominator.

    With z the 2N rows scaled to length 1 and p(i) the other view of i's trailer:

        mean_i -log( exp(z_i z_p(i) / tau) / sum_{n != i} exp(z_i z_n / tau) )

    Args:
        first: one view of each trailer, [N, width].
        second: the other view, [N, width].
        temperature: tau > 0.

    Returns:
        A scalar, in float32 whatever the precision of the views; 0 for a single pair.
    """
    z = normalize(torch.cat([first, second]).float())
    similarity = (z @ z.T / temperature).fill_diagonal_(float("-inf"))
    partner = torch.arange(len(z), device=z.device).roll(len(first))
    return cross_entropy(similarity, partner)


def decoupled(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Equations 4 and 5 to the letter: the positive is left out of the denominator.

    That is decoupled contrastive learning (Yeh et al. 2022). With the names of `nt_xent`:

        mean_i -log( exp(z_i z_p(i) / tau) / sum_{n != i, p(i)} exp(z_i z_n / tau) )

    Args:
        first: one view of each trailer, [N, width].
        second: the other view, [N, width].
        temperature: tau > 0.

    Returns:
        A scalar, in float32 whatever the precision of the views; it may be negative, and is 0 for a
        single pair, which has nothing to be told apart from.
    """
    z = normalize(torch.cat([first, second]).float())
    similarity = z @ z.T / temperature
    if len(first) == 1:
        return 0.0 * similarity.sum()
    rows = torch.arange(len(z), device=z.device)
    partner = rows.roll(len(first))
    left_out = torch.eye(len(z), dtype=torch.bool, device=z.device)
    left_out[rows, partner] = True
    negatives = similarity.masked_fill(left_out, float("-inf")).logsumexp(1)
    return (negatives - similarity[rows, partner]).mean()


CONTRASTS = {"simclr": nt_xent, "literal": decoupled}
"""The two readings of equation 4, by the value of `finetune.loss`."""
