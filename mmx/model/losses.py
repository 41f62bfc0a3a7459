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


def nt_xent(
    first: Tensor, second: Tensor, temperature: float, films: Tensor | None = None
) -> Tensor:
    """NT-Xent in SimCLR's form: equations 4 and 5, the positive kept in the denominator.

    With z the 2N rows scaled to length 1 and p(i) the other view of i's trailer:

        mean_i -log( exp(z_i z_p(i) / tau) / sum_{n != i} exp(z_i z_n / tau) )

    Args:
        first: one view of each trailer, [N, width].
        second: the other view, [N, width].
        temperature: tau > 0.
        films: the film of each trailer, [N]; another trailer of the same film is left out of the
            sum. By default they all differ.

    Returns:
        A scalar, in float32 whatever the precision of the views; 0 for a single pair.
    """
    similarity, partner, left_out = _compare(first, second, temperature, films)
    left_out[torch.arange(len(partner), device=partner.device), partner] = False
    return cross_entropy(similarity.masked_fill(left_out, float("-inf")), partner)


def decoupled(
    first: Tensor, second: Tensor, temperature: float, films: Tensor | None = None
) -> Tensor:
    """Equations 4 and 5 to the letter: the positive is left out of the denominator.

    That is decoupled contrastive learning (Yeh et al. 2022). With the names of `nt_xent`:

        mean_i -log( exp(z_i z_p(i) / tau) / sum_{n != i, p(i)} exp(z_i z_n / tau) )

    Args:
        first: one view of each trailer, [N, width].
        second: the other view, [N, width].
        temperature: tau > 0.
        films: as for `nt_xent`.

    Returns:
        A scalar, in float32 whatever the precision of the views; it may be negative, and is 0 for a
        single film, which has nothing to be told apart from.
    """
    similarity, partner, left_out = _compare(first, second, temperature, films)
    if left_out.all():
        return 0.0 * similarity.sum()
    negatives = similarity.masked_fill(left_out, float("-inf")).logsumexp(1)
    return (negatives - similarity.gather(1, partner[:, None])[:, 0]).mean()


def _compare(
    first: Tensor, second: Tensor, temperature: float, films: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the similarities of 2N views, each one's other view, and which are of one film."""
    z = normalize(torch.cat([first, second]).float())
    own = torch.arange(len(first), device=z.device) if films is None else films.to(z.device)
    both = own.repeat(2)
    partner = torch.arange(len(z), device=z.device).roll(len(first))
    return z @ z.T / temperature, partner, both[:, None] == both


CONTRASTS = {"simclr": nt_xent, "literal": decoupled}
"""The two readings of equation 4, by the value of `finetune.loss`."""
