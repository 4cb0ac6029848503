"""What the text of a setting means, and one clear sentence where it means nothing."""

import pytest

from monitor import texts
from monitor.texts import Threshold


@pytest.mark.parametrize(
    ("text", "threshold"),
    [
        ("15", Threshold(15, is_percent=False)),
        ("75%", Threshold(75, is_percent=True)),
        ("75 %", Threshold(75, is_percent=True)),
    ],
)
def test_a_threshold_is_a_number_or_a_percentage(text: str, threshold: Threshold) -> None:
    """Both are written as people write them."""
    assert texts.threshold(text) == threshold


@pytest.mark.parametrize("text", ["", "many", "-1", "0", "101%", "75%%", "7.5", "75 % of all"])
def test_other_thresholds_are_refused(text: str) -> None:
    """The sentence says what was expected, and what came."""
    with pytest.raises(ValueError, match=r"expected a number like 15, or a percentage like 75%, got"):
        texts.threshold(text)


def test_numbers_are_read_by_name() -> None:
    """Spaces and a comma at the end do no harm."""
    assert texts.counts_by_name(" optimization = 10, file-processing=20,") == {
        "optimization": 10,
        "file-processing": 20,
    }


def test_every_entry_that_is_none_is_named() -> None:
    """A name without a number, a number without a name, and a name that stands there twice."""
    with pytest.raises(ValueError, match="expected each name once") as raised:
        texts.counts_by_name("a=1,b,=3,c=many,a=2")

    assert str(raised.value).endswith("got 'b', '=3', 'c=many', 'a=2'")


def test_names_keep_their_order_and_stand_once() -> None:
    """The first of two counts."""
    assert texts.names_in_order("b, a,b,,") == ("b", "a")


def test_a_url_that_is_none_is_not_repeated() -> None:
    """It may hold a password."""
    with pytest.raises(ValueError, match="expected a URL like http") as raised:
        texts.http_url("user:hunter2@host")

    assert "hunter2" not in str(raised.value)
