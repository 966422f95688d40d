"""Where a command works: what wins over what, what is refused, and that nothing is opened unasked."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn

import click
import pytest
from click.testing import CliRunner, Result

from practicus_mfa.cli.cluster import ClusterFlags
from practicus_mfa.cli.context import Named, find_target, target_options
from practicus_mfa.cli.invocation import Invocation
from practicus_mfa.cli.target import Target
from practicus_mfa.core.keyring import Keyring, KeyState
from practicus_mfa.crypto.keyring_file import dump
from practicus_mfa.crypto.keys import FernetKey, HeldKeys
from practicus_mfa.datafolder import DataFolder
from practicus_mfa.documents import dump_yaml
from practicus_mfa.errors import MfaError, UsageError
from practicus_mfa.settings import Settings

URL: Final = "postgresql://user:hunter2@host/db"
KEY: Final = FernetKey(b"k" * 32)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, in which no cluster is known."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for variable in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


def folder(name: str = "data") -> Path:
    Path(name).mkdir()
    return Path(name)


def found(named: Named | None = None, settings: Settings | None = None) -> Target:
    return find_target(named or Named(), lambda: settings or Settings())


def refused(named: Named | None = None, settings: Settings | None = None) -> tuple[str, str]:
    with pytest.raises(UsageError) as caught:
        found(named, settings)
    assert "hunter2" not in f"{caught.value}{caught.value.remedy}"
    return caught.value.message, caught.value.remedy


def unasked() -> NoReturn:
    raise AssertionError


def test_a_data_folder_has_its_own_database_and_keyring() -> None:
    target = found(Named(data_dir=folder()))
    assert target.folder == DataFolder(Path("data"))
    assert target.database_url == "sqlite:///data/practicus-mfa.db"
    assert target.keyring_file == Path("data/keyring.yaml")


def test_a_data_folder_works_on_the_database_that_its_values_named() -> None:
    data = DataFolder(folder())
    secret = {"kind": "Secret", "data": {"url": b64encode(URL.encode()).decode()}}
    data.database_secret.write_text(dump_yaml(secret))
    assert found(Named(data_dir=data.root)).database_url == URL


def test_a_file_holds_the_url() -> None:
    Path("url").write_text(f"{URL}\n")
    target = found(Named(database_url_file=Path("url"), keyring=Path("k")))
    assert (target.database_url, target.keyring_file, target.folder) == (URL, Path("k"), None)


def test_standard_input_gives_the_url_once(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("url").write_text(URL)
    with Path("url").open() as file:
        monkeypatch.setattr("sys.stdin", file)
        target = found(Named(database_url_file=Path("-")))
        assert [target.database_url, target.database_url] == [URL, URL]


def test_the_environment_gives_the_url() -> None:
    target = found(settings=Settings(database_url=URL, keyring=Path("k")))
    assert (target.database_url, target.keyring_file) == (URL, Path("k"))


def test_a_url_without_a_password_may_be_an_argument() -> None:
    assert found(Named(database_url="sqlite:///x.db")).database_url == "sqlite:///x.db"


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "postgresql://user:hunter2@",
        "postgresql://user:hun:ter2@host/db",
        "postgresql://user:hunter2/@host",
        "postgresql://user:hunter2@x@host",
        "postgresql://host/db?user=u&password=hunter2",
        "postgresql://host/db?PASSWORD=hunter2",
        "postgresql://host/db?sslpassword=hunter2",
    ],
)
def test_a_password_in_the_arguments_is_refused(url: str) -> None:
    message, remedy = refused(Named(database_url=url))
    assert message == (
        "a database URL with a password is in the arguments, where all users of this machine can read it"
    )
    assert remedy == (
        "change the password; put the URL into a file and name that with --database-url-file "
        "(- for standard input), or into PRACTICUS_MFA_DATABASE_URL"
    )


def test_flags_win_over_settings_and_these_over_the_default_folder() -> None:
    folder("flag"), folder("setting"), folder("practicus-mfa-data")
    settings = Settings(data_dir=Path("setting"), keyring=Path("k"))

    by_flag = found(Named(data_dir=Path("flag")), settings)
    # The keyring of the settings belongs to their folder, not to the flag's.
    assert (by_flag.folder, by_flag.keyring_file) == (DataFolder(Path("flag")), Path("flag/keyring.yaml"))
    by_setting = found(settings=settings)
    assert (by_setting.folder, by_setting.keyring_file) == (DataFolder(Path("setting")), Path("k"))
    assert found().folder == DataFolder(Path("practicus-mfa-data"))
    url = Settings(database_url=URL)
    assert found(Named(database_url_file=Path("f")), url).source == "f"
    assert found(Named(database_url="sqlite:///x"), url).source == "--database-url"
    assert found(settings=url).folder is None


def test_a_keyring_s_flag_wins() -> None:
    folder()
    for named in (
        Named(data_dir=Path("data"), keyring=Path("flag")),
        Named(database_url_file=Path("f"), keyring=Path("flag")),
        Named(keyring=Path("flag")),
    ):
        settings = Settings(keyring=Path("k"), data_dir=None if named.places else Path("data"))
        assert found(named, settings).keyring_file == Path("flag")


def test_settings_are_not_read_where_a_flag_says_all() -> None:
    assert find_target(Named(data_dir=folder()), unasked).folder


NAME_ONE = (
    "name a data folder with --data-dir DIR (practicus-mfa up makes one), a database with "
    "--database-url-file FILE, or a cluster with --kubeconfig FILE or KUBECONFIG"
)


@pytest.mark.parametrize(
    ("named", "settings", "message", "remedy"),
    [
        (
            Named(),
            Settings(),
            "nothing says where to work: no data folder, no database, no cluster",
            NAME_ONE,
        ),
        (
            Named(data_dir=Path("d"), database_url_file=Path("f")),
            Settings(),
            "--data-dir and --database-url-file name two places",
            "keep one of them",
        ),
        (
            Named(data_dir=Path("d"), cluster=ClusterFlags(policy="mfa", namespace="team")),
            Settings(),
            "--data-dir and --namespace name two places",
            "keep one of them",
        ),
        (
            Named(),
            Settings(data_dir=Path("d"), database_url=URL),
            "the settings name two places: PRACTICUS_MFA_DATABASE_URL and a data folder",
            "keep one, or name one by a flag",
        ),
        (
            Named(data_dir=Path("none")),
            Settings(),
            "there is no data folder none",
            "correct its name, or make it: practicus-mfa up --values FILE --data-dir none",
        ),
    ],
)
def test_what_is_missing_or_said_twice_is_refused(
    named: Named, settings: Settings, message: str, remedy: str
) -> None:
    assert refused(named, settings) == (message, remedy)


@pytest.mark.parametrize(
    "flags",
    [
        ClusterFlags(namespace="team"),
        ClusterFlags(context="c"),
        ClusterFlags(kubeconfig=Path("k")),
        ClusterFlags(policy="mfa"),
    ],
)
def test_a_flag_of_a_cluster_means_the_cluster_whatever_else_is_there(flags: ClusterFlags) -> None:
    folder("practicus-mfa-data")
    target = find_target(Named(cluster=flags), unasked)
    assert (target.in_cluster, target.folder) == (True, None)


def test_a_plugin_of_kubectl_means_the_cluster_unless_a_flag_says_otherwise() -> None:
    folder("practicus-mfa-data")
    assert find_target(Named(as_plugin=True), unasked).in_cluster
    assert found(Named(as_plugin=True, data_dir=Path("practicus-mfa-data"))).folder
    assert found(Named(as_plugin=True, database_url="sqlite:///x")).source == "--database-url"


def kubeconfig_at_home() -> None:
    Path("home/.kube").mkdir(parents=True)
    Path("home/.kube/config").touch()


def test_a_cluster_that_is_known_is_meant_where_nothing_else_is(monkeypatch: pytest.MonkeyPatch) -> None:
    kubeconfig_at_home()
    target = found(settings=Settings(keyring=Path("k")))
    # A keyring of the settings belongs to a database of the settings.
    assert (target.in_cluster, target.keyring_file) == (True, None)
    assert not found(settings=Settings(database_url=URL)).in_cluster
    folder("practicus-mfa-data")
    assert not found().in_cluster
    Path("practicus-mfa-data").rmdir()
    Path("home/.kube/config").unlink()
    monkeypatch.setenv("KUBECONFIG", "k")
    assert found(Named(keyring=Path("flag"))).in_cluster


def test_nothing_of_a_cluster_is_read_before_it_is_asked_for() -> None:
    target = found(Named(cluster=ClusterFlags(kubeconfig=Path("none"))))
    target.close()
    assert opening_fails(target, lambda opened: opened.database) == (
        "There is no kubeconfig: none does not exist.",
        "Name one with --kubeconfig or KUBECONFIG.",
    )


def test_flags_behind_a_command_win_over_those_before_it() -> None:
    before = ClusterFlags(namespace="one", context="c")
    assert ClusterFlags(namespace="two", policy="mfa").over(before) == ClusterFlags(
        namespace="two", context="c", policy="mfa"
    )


def opening_fails(target: Target, what: Callable[[Target], object]) -> tuple[str, str]:
    with pytest.raises(MfaError) as caught:
        what(target)
    return caught.value.message, caught.value.remedy


def test_an_empty_url_is_told() -> None:
    Path("url").write_text("\n")
    target = found(Named(database_url_file=Path("url")))
    assert opening_fails(target, lambda opened: opened.database) == (
        "there is no database URL in url",
        "write sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME there",
    )


def test_settings_may_name_a_url_file() -> None:
    assert found(settings=Settings(database_url_file=Path("f"))).source == "f"


def test_a_missing_url_file_is_told() -> None:
    target = found(Named(database_url_file=Path("none")))
    assert opening_fails(target, lambda opened: opened.database_url)[0] == "there is no file none"


def test_a_keyring_that_is_not_named_is_told_when_it_is_needed() -> None:
    target = found(Named(database_url="sqlite:///x"))
    assert opening_fails(target, lambda opened: opened.keys) == (
        "no keyring is named, and this needs keys",
        "name its file with --keyring FILE",
    )


def test_the_keyring_is_opened() -> None:
    data = DataFolder(folder())
    keyring = Keyring(2, {KEY.id: KeyState.ACTIVE})
    data.keyring.write_text(dump(keyring, HeldKeys([KEY])))
    target = found(Named(data_dir=data.root))
    assert target.keyring == keyring
    assert target.keys[KEY.id] == KEY


def test_nothing_shows_a_url() -> None:
    assert "hunter2" not in repr(found(settings=Settings(database_url=URL)))
    assert "hunter2" not in repr(Named(database_url=URL))


def called(*arguments: str, invocation: Invocation | None = None) -> tuple[Result, list[Target]]:
    seen: list[Target] = []

    @click.command()
    @target_options
    @click.option("--more")
    def command(target: Target, more: str) -> None:
        seen.append(target)
        click.echo(f"{target.database.shown} {more}")

    result = CliRunner().invoke(command, list(arguments), obj=invocation, catch_exceptions=False)
    return result, seen


def test_a_command_is_given_its_target_and_the_database_is_closed_at_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed: list[Target] = []
    monkeypatch.setattr(Target, "close", lambda target: closed.append(target))
    folder()
    result, seen = called("--data-dir", "data", "--more", "x")
    assert result.output == "data/practicus-mfa.db x\n"
    assert closed == seen


def test_what_was_not_opened_is_not_closed() -> None:
    target = find_target(Named(data_dir=folder()), Settings)
    target.close()
    assert "database" not in vars(target)


def test_a_command_without_the_program_around_it_reads_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder()
    monkeypatch.setenv("PRACTICUS_MFA_DATA_DIR", "data")
    assert called()[0].output == "data/practicus-mfa.db None\n"


def test_a_configuration_file_says_where_to_work() -> None:
    folder()
    Path("mfa.toml").write_text('dataDir = "data"\n')
    assert called(invocation=Invocation(config=Path("mfa.toml")))[0].output.startswith("data/")
