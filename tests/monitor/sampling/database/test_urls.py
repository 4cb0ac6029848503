"""The list of databases is read as it is written, and each fault in it is told at once, without a password."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.sampling.database import parse_databases


def test_databases_are_named_by_their_urls() -> None:
    """Spaces, line ends and a comma at the end do no harm; each URL stays as it is written."""
    text = " orders = postgresql+asyncpg://u:p%2C@h:6432/db?sslmode=require ,\n reports=mysql://u@h/r, file=sqlite:////a/b.db,"

    assert parse_databases(text) == {
        "orders": "postgresql+asyncpg://u:p%2C@h:6432/db?sslmode=require",
        "reports": "mysql://u@h/r",
        "file": "sqlite:////a/b.db",
    }


def test_none_are_none() -> None:
    """Where nothing is written, nothing is measured."""
    assert parse_databases(" ") == {}


def test_the_older_name_of_postgresql_is_understood() -> None:
    """`postgres://`, which many platforms hand out, is PostgreSQL."""
    assert parse_databases("orders=postgres://u@h/db") == {"orders": "postgres://u@h/db"}


def test_every_fault_is_named_at_once() -> None:
    """One reading tells all that is wrong, by entry, and by name where there is one."""
    text = "a=oracle://u:secret@h/db,postgresql://h/b,c=postgresql://u:secret@h:port/db,d=sqlite://,e=mysql://h/x,e=mysql://h/y"

    with pytest.raises(ValueError, match="entry 1") as raised:
        parse_databases(text)

    said = str(raised.value).split("; entry ")
    assert [fault[:2] for fault in said[1:]] == ["2:", "3:", "4:", "6:"]
    assert "got 'oracle:'" in said[0]
    assert "in memory" in said[3]
    assert "got e twice" in said[4]
    assert "secret" not in str(raised.value)


@given(
    secret=st.text("abc:@/?#%,=& ", min_size=4, max_size=20).map(lambda text: f"Kn1fe{text}Kn1fe"),
    scheme=st.sampled_from(["postgresql", "mysql", "sqlite", "oracle", ""]),
)
def test_a_password_is_in_no_fault(secret: str, scheme: str) -> None:
    """However a password tears its URL apart, no piece of it is repeated."""
    try:
        parse_databases(f"orders={scheme}://user:{secret}@host/db,reports={scheme}://{secret}@host:x/db")
    except ValueError as fault:
        assert "Kn1fe" not in str(fault)  # noqa: PT017 (most of what is drawn is refused, and some is not)
