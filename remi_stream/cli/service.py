"""`remi-stream service`: installs a daemon as a systemd service."""

from __future__ import annotations

import os
import shlex
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from remi_stream import config as configuration
from remi_stream.cli.options import DaemonName
from remi_stream.config import Config
from remi_stream.errors import EXIT_DONE, RemiError, UsageError
from remi_stream.paths import shipped_folder
from remi_stream.process.systemd import UNIT_HEADER, system_unit_text, unit_name, user_unit_text
from remi_stream.sources import find_source

SYSTEM_UNIT_FOLDER, SYSTEM_CONFIG_FOLDER, STATE_FOLDER = Path("/etc/systemd/system"), Path("/etc"), Path("/var/lib/remi-stream")
HOME_FOLDERS = (Path("/home"), Path("/root"), Path("/run/user"))
TEMPORARY_FOLDERS = (Path("/tmp"), Path("/var/tmp"))

app = typer.Typer(help="Install a daemon as a systemd service.", no_args_is_help=True)

UserOption = Annotated[bool, typer.Option("--user", help="User service instead of a system service; needs no root.")]
NameOption = Annotated[str | None, typer.Option(help="Name of the daemon (default: from the file); there may be several.")]


@app.command()
def install(
    pipeline: Annotated[
        Path | None, typer.Argument(help="Pipeline file (default: remi-stream/pipeline.yaml in /etc or ~/.config).")
    ] = None,
    user: UserOption = False,
    name: NameOption = None,
    only_print: Annotated[bool, typer.Option("--print", help="Print the unit and write nothing.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a different unit.")] = False,
) -> int:
    """Write the systemd unit of a pipeline file and print the next commands; exit code 3 while a camera's password is missing."""
    file = (pipeline or _config_folder(user) / "remi-stream/pipeline.yaml").absolute()
    config = _read(file, user, name)
    command = [*_program_command(), "run", str(file), *(["--name", name] if name else [])]
    if user:
        home = os.environ.get("REMI_HOME")
        text = user_unit_text(command, Path.cwd(), Path(home).expanduser().absolute() if home else None)
    else:
        _check_for_system(config, file)
        text = system_unit_text(
            command,
            read_homes=any(_is_below(path, HOME_FOLDERS) for path in [*_required_files(file), *_configured_files(config)]),
        )
    if only_print:
        print(text, end="")
        return EXIT_DONE
    unit = _unit_file(config.name, user)
    _write(unit, text, overwrite)
    _require_passwords(config, unit, user)
    _print_next_steps(unit, user)
    return EXIT_DONE


@app.command()
def uninstall(user: UserOption = False, name: DaemonName = "default") -> int:
    """Remove the systemd unit of a stopped and disabled daemon."""
    unit = _unit_file(name, user)
    if not unit.exists():
        raise UsageError(f"No such unit: {unit}. List the units: systemctl{_user_flag(user)} list-unit-files 'remi-stream*'")
    if not unit.read_text().startswith(UNIT_HEADER):
        raise UsageError(f"{unit} was not written by `remi-stream service install`; remove it yourself")
    if list(unit.parent.glob(f"*.wants/{unit.name}")):
        raise UsageError(f"{unit.stem} is enabled. First: systemctl{_user_flag(user)} disable --now {unit.stem}")
    try:
        unit.unlink()
    except OSError as error:
        raise RemiError(_not_written(unit, error)) from None
    print(f"removed {unit}\nnext: systemctl{_user_flag(user)} daemon-reload")
    return EXIT_DONE


def _read(file: Path, user: bool, name: str | None) -> Config:
    """Read and check the pipeline file as `remi-stream run` does."""
    if not file.exists() and file == _config_folder(user) / "remi-stream/pipeline.yaml":
        example = shipped_folder("configs") / "webcam.yaml"
        raise UsageError(f"No such file: {file}. Write one, e.g. from {example}, or name a file: service install PIPELINE.yaml")
    values = configuration.read_config_file(file)
    return configuration.parse_config({**values, "name": name} if name else values)


def _require_passwords(config: Config, unit: Path, user: bool) -> None:
    """Raise RemiError if the service's environment file lacks a variable that a camera's `password_env` names."""
    file = _config_folder(user) / "remi-stream" / f"{unit.stem}.env"
    cameras = {camera.password_env: camera.name for camera in config.cameras if camera.password_env}
    try:
        known = _variables(file.read_text()) if file.exists() else set()
    except OSError as error:
        raise RemiError(f"Wrote {unit}, but cannot read {file}: {error.strerror}. Give this command as root") from None
    missing = [f"{variable} (camera {camera})" for variable, camera in cameras.items() if variable not in known]
    if missing:
        first = next(variable for variable in cameras if variable not in known)
        raise RemiError(
            f"Wrote {unit}, but the service cannot start: {file} has no {', '.join(missing)}. "
            f"Write a line {first}='THE PASSWORD' into it, "
            f"let only its owner read it (chmod 600 {shlex.quote(str(file))}), and give this command again"
        )


def _variables(text: str) -> set[str]:
    """Names of the variables in a systemd environment file."""
    lines = (line.strip() for line in text.splitlines())
    return {line.partition("=")[0].strip() for line in lines if "=" in line and line[0] not in "#;"}


def _check_for_system(config: Config, file: Path) -> None:
    """Raise UsageError for paths that the service's dynamic user (systemd's DynamicUser) cannot read or write."""
    configured = list(_configured_files(config))
    for path in [*_required_files(file), *configured]:
        fix = "Move it" if path in (file, *configured) else "Install remi-stream where others may read it, e.g. in /opt"
        if _is_below(path, TEMPORARY_FOLDERS):
            raise UsageError(f"The service has a private /tmp and cannot see {path}. {fix}, or use --user")
        if path.exists() and (part := _unreadable_part(path)):
            raise UsageError(f"The service's user cannot read {path} ({part} is not readable by others). {fix}, or use --user")
    for folder in (config.record, config.measurements):
        if folder and not Path(os.path.normpath(STATE_FOLDER / folder)).is_relative_to(STATE_FOLDER):
            raise UsageError(f"The service can write only in {STATE_FOLDER}, not in {folder}. Use a folder in it, or --user")


def _configured_files(config: Config) -> Iterator[Path]:
    """Files named in the camera configurations. Raises UsageError for a relative path."""
    for camera in config.cameras:
        source = camera.source if find_source(camera.source).is_file else None
        for name in (source, camera.calibration, camera.password_file):
            if name and not Path(name).is_absolute():
                raise UsageError(f"Camera {camera.name!r}: give the absolute path of {name}; the service runs in {STATE_FOLDER}")
            if name:
                yield Path(name)


def _required_files(file: Path) -> Iterator[Path]:
    """Files that the service needs to start: the pipeline file, program, interpreter and manifests."""
    yield file
    yield Path(_program_command()[0])
    yield Path(sys.executable).resolve()
    yield shipped_folder("engines")


def _unreadable_part(path: Path) -> Path | None:
    """First part of a path that other users cannot enter or read; None if all can be."""
    for part in [*reversed(path.parents), path]:
        permission = stat.S_IXOTH if part != path or part.is_dir() else stat.S_IROTH
        if not part.stat().st_mode & permission:
            return part
    return None


def _is_below(path: Path, folders: tuple[Path, ...]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


def _program_command() -> list[str]:
    """Command line that starts this installation."""
    script = Path(sys.executable).parent / "remi-stream"
    return [str(script)] if script.exists() else [sys.executable, "-m", "remi_stream"]


def _config_folder(user: bool) -> Path:
    own = os.environ.get("XDG_CONFIG_HOME")
    return SYSTEM_CONFIG_FOLDER if not user else Path(own) if own else Path.home() / ".config"


def _unit_file(name: str, user: bool) -> Path:
    folder = _config_folder(True) / "systemd/user" if user else SYSTEM_UNIT_FOLDER
    return folder / f"{unit_name(name)}.service"


def _write(unit: Path, text: str, overwrite: bool) -> None:
    if unit.exists() and unit.read_text() != text and not overwrite:
        raise UsageError(f"{unit} exists and differs. Show the new one with --print, or replace it with --overwrite")
    try:
        unit.parent.mkdir(parents=True, exist_ok=True)
        unit.write_text(text)
    except OSError as error:
        raise RemiError(_not_written(unit, error)) from None


def _not_written(unit: Path, error: OSError) -> str:
    fix = (
        f"Run as root (sudo {shlex.join(_program_command())} ...), or use --user"
        if unit.is_relative_to(SYSTEM_UNIT_FOLDER)
        else "Free some space"
    )
    return f"Cannot write {unit}: {error.strerror}. {fix}"


def _print_next_steps(unit: Path, user: bool) -> None:
    flag, service = _user_flag(user), unit.stem
    print(f"wrote {unit}")
    if not Path("/run/systemd/system").is_dir():
        print("systemd is not running on this machine; the unit takes effect when it does")
    print("next:")
    print(f"  systemctl{flag} daemon-reload && systemctl{flag} enable --now {service}")
    if user:
        print("  loginctl enable-linger             # to run while you are not logged in")
    print(f"  journalctl{flag} -f -u {service}")


def _user_flag(user: bool) -> str:
    return " --user" if user else ""
