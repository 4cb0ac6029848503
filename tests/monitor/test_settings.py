"""Settings: what the environment says, and one clear sentence for each fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.settings import Settings, SettingsError, make_private


def test_without_settings_everything_lies_under_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two lines and no configuration are enough."""
    monkeypatch.chdir(tmp_path)

    settings = Settings.from_env({})

    assert settings.store_url == f"sqlite:///{tmp_path}/.monitor/store.db"
    assert settings.spool_dir == tmp_path / ".monitor/spool"
    assert (settings.spool_max_mb, settings.store_arguments, settings.retention_days) == (512, True, 90)


def test_all_faulty_settings_are_named_at_once() -> None:
    """A person mends the configuration in one go."""
    env = {"MONITOR_STORE_URL": "mysql://x", "MONITOR_SPOOL_MAX_MB": "lots", "MONITOR_ARGUMENTS": "maybe"}

    with pytest.raises(SettingsError) as raised:
        Settings.from_env(env)

    lines = str(raised.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == list(env)
    assert all("expected" in line and "got" in line for line in lines)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("url", ["mysql://me:hunter2@db/x", "hunter2", "postgresql:hunter2"])
def test_a_faulty_store_url_shows_no_password(url: str) -> None:
    """What came is named by its scheme alone."""
    with pytest.raises(SettingsError) as raised:
        Settings.from_env({"MONITOR_STORE_URL": url})

    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_usual_way_to_name_postgresql_is_understood(scheme: str) -> None:
    """Hosting platforms hand out all three."""
    settings = Settings.from_env({"MONITOR_STORE_URL": f"{scheme}://me@db/monitor"})

    assert settings.store_url == "postgresql+psycopg://me@db/monitor"


def test_names_to_redact_are_a_list() -> None:
    """Commas part them; case and blanks don't count."""
    assert Settings.from_env({"MONITOR_REDACT": "Client_Name, iban,,"}).redact == {"client_name", "iban"}


def test_the_code_version_is_the_setting_s_if_there_is_one() -> None:
    """A deploy that knows its version says it."""
    assert Settings.from_env({"MONITOR_CODE_VERSION": "v7"}).code_version == "v7"


def test_directories_are_their_owner_s_alone(tmp_path: Path) -> None:
    """Arguments may hold clients' data: so the parents that are made are private too."""
    make_private(tmp_path / "a" / "b")

    assert {(tmp_path / "a").stat().st_mode & 0o777, (tmp_path / "a" / "b").stat().st_mode & 0o777} == {0o700}
