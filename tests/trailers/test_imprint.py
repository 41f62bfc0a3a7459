"""The imprint of a film recognises copies of it, nothing else, and shows nothing."""

import numpy as np
import pytest
from cut_film import TRANSFORMS, changed, film, times

from mmx.trailers.imprint import Imprint
from mmx.trailers.signature import Signature, sign

pytestmark = pytest.mark.slow


def signed(seed: int, seconds: int = 24) -> Signature:
    pictures = film(seed, seconds)
    return sign(times(pictures), pictures)


@pytest.fixture(scope="module")
def imprint() -> Imprint:
    """That of film 3, as a tombstone has it."""
    return Imprint.unpack(Imprint.of(signed(3), "salt").pack(), "salt")


@pytest.mark.parametrize("how", TRANSFORMS)
def test_a_copy_is_recognised_whatever_was_done_to_it(imprint: Imprint, how: str) -> None:
    assert imprint.recognises(changed(film(3), how))


def test_none_of_a_hundred_other_films_is_recognised(imprint: Imprint) -> None:
    assert not [seed for seed in range(100, 200) if imprint.recognises(signed(seed, 16))]


def test_a_film_that_shares_a_logo_or_the_same_shots_in_another_order_is_another_film() -> None:
    logo, one, other = film(20, 8), film(1), film(2)
    first, second = (np.concatenate([logo, each]) for each in (one, other))
    mark = Imprint.of(sign(times(first), first), "salt")
    assert mark.recognises(sign(times(first), first))
    assert not mark.recognises(sign(times(second), second))
    turned = np.concatenate([one[len(one) // 3 :], logo, one[: len(one) // 3]])[::-1]
    assert not mark.recognises(sign(times(turned), turned))


@pytest.mark.parametrize("level", [0, 90])
def test_a_film_without_cuts_has_an_imprint_that_recognises_none(level: int) -> None:
    still = np.full((240, 32, 32), level, np.uint8)
    mark = Imprint.of(sign(times(still), still), "salt")
    assert not mark.recognises(sign(times(still), still)) and not mark.recognises(signed(3))


def test_it_holds_ten_bytes_a_second_and_sixty_four_bits_a_cut_of_no_use_under_another_salt(
    imprint: Imprint,
) -> None:
    text = imprint.pack()
    assert len(text) * 3 / 4 <= 12 + 10 * imprint.light.shape[0] / 8 + 12 * (4 + 8) + 4
    assert not Imprint.unpack(text, "other").recognises(signed(3))
    assert set(np.unique(imprint.light)) <= {-1, 0, 1} and set(np.unique(imprint.sides)) == {-1, 1}


def test_what_is_no_imprint_is_refused(imprint: Imprint) -> None:
    for text in ("", "AAAA", imprint.pack()[:-4], imprint.pack() + "AAAA", "no base64!"):
        with pytest.raises(ValueError):
            Imprint.unpack(text, "salt")
