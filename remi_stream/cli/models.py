"""`remi-stream models`: manages the model store, the weights of the networks."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from remi_stream.cli.console import plain_table, table_console
from remi_stream.errors import EXIT_DONE, EXIT_NOT_STARTED, RemiError, UsageError
from remi_stream.models import store
from remi_stream.models.importer import import_file, is_wheel
from remi_stream.models.manifest import ModelFile, find_model_file, is_non_commercial, list_manifests, model_files_by_name
from remi_stream.models.store import read_record
from remi_stream.paths import user_data_folder

app = typer.Typer(help="Pull, import and verify model weights.")
ModelName = Annotated[str, typer.Argument(help="Model name; `remi-stream models` lists them.", metavar="NAME")]


@app.callback(invoke_without_command=True)
def list_by_default(context: typer.Context) -> None:
    """List the models if no subcommand is given."""
    if context.invoked_subcommand is None:
        list_models()


@app.command("list")
def list_models() -> int:
    """List all models with their state, size and licence, and where to get missing ones."""
    faults = {name: store.file_fault(file) for name, file in model_files_by_name().items()}
    table = plain_table("model", "state", "MB", "licence")
    table.columns[2].justify = "right"
    for name, file in sorted(model_files_by_name().items()):
        table.add_row(name, faults[name] or "ready", size_mb(file), file.licence)
    console = table_console()
    console.print(table)
    console.print(f"\nIn {user_data_folder() / 'models'}", soft_wrap=True)
    for line in source_lines(model_files_by_name()[name] for name, fault in faults.items() if fault):
        console.print(line, soft_wrap=True, highlight=False)
    return EXIT_DONE


@app.command()
def show(name: ModelName) -> int:
    """Show the details of a model."""
    file = find_model_file(name)
    record = read_record(store.model_path(file))
    facts = {
        "model": name,
        "used by": ", ".join(manifest.name for manifest in list_manifests() if file in manifest.weights),
        "state": store.file_fault(file) or "ready",
        "licence": file.licence,
        "get it": f"{file.wheel}: remi-stream models pull {name}" if file.wheel else file.source,
        "import it": "" if file.wheel else f"remi-stream models import {file.published or file.file}",
        "file": str(store.model_path(file)),
        "MB": size_mb(file),
        "SHA-256": file.sha256 or (record.sha256 if record else ""),
        "imported": f"{record.imported_at} from {record.original_name} (SHA-256 {record.original_sha256})" if record else "",
    }
    for key, fact in facts.items():
        if fact:
            print(f"{key:<12}{fact}")
    return EXIT_DONE


@app.command()
def pull(
    names: Annotated[list[str] | None, typer.Argument(help="Model names (default: all that can be pulled).")] = None,
) -> int:
    """Download missing or damaged models and verify them."""
    files = (
        [find_model_file(name) for name in names] if names else [file for file in model_files_by_name().values() if file.wheel]
    )
    pulled = store.pull_files(files, print)
    print(f"{len(pulled)} pulled, {len(files) - len(pulled)} already present; all are intact.")
    return EXIT_DONE


@app.command("import")
def import_model(
    files: Annotated[
        list[Path],
        typer.Argument(help="Published checkpoints, SMPL pickle or .npz, ..., or wheels with models.", metavar="FILE..."),
    ],
    name: Annotated[str, typer.Option("--as", help="Name of the model, if the content is ambiguous.", metavar="NAME")] = "",
) -> int:
    """Import downloaded model files: identify each by its content, check it, and record its SHA-256."""
    if name and len(files) > 1:
        raise UsageError(f"--as is the name of one file, got {len(files)} files. Import {files[0]} on its own")
    codes = []
    for file in files:
        try:
            import_one_model(file, name)
        except RemiError as error:
            if len(files) == 1:
                raise
            print(f"remi-stream: {error}", file=sys.stderr)  # the others are imported
            codes.append(error.exit_code)
    return max(codes, default=EXIT_DONE)


def import_one_model(file: Path, name: str) -> None:
    """Import a model file or a wheel, and print what it is. Raises RemiError."""
    if is_wheel(file):
        for known in store.import_wheel(file):
            print(f"{known.name}: {store.model_path(known)}")
        return
    known, record, others = import_file(file, name)
    print(f"{file.name} is {known.name}: {store.model_path(known)} ({record.bytes / 1e6:.1f} MB, SHA-256 {record.sha256})")
    if others and not name:
        print(f"Its content also fits {', '.join(others)}; to import it as that: --as {others[0]}")
    print(f"Licence: {known.licence}; {known.source}")
    if is_non_commercial(known.licence):
        print("Non-commercial use only.")


@app.command()
def verify() -> int:
    """Verify the SHA-256 of every model; exit code 3 if one is damaged, or missing although it can be pulled."""
    faults = store.verify_store()
    for name, fault in sorted(faults.items()):
        print(f"{name}: {fault or 'intact'}")
    return EXIT_NOT_STARTED if any(faults.values()) else EXIT_DONE


@app.command()
def remove(name: ModelName) -> int:
    """Remove a model and its converted files from the store."""
    from remi_stream.inference import onnx_cache

    file = find_model_file(name)
    if file.network and store.file_fault(file) != "missing":
        onnx_cache.remove_conversions(file)
    print(f"{name}: {'removed' if store.remove_file(file) else 'not present'}")
    return EXIT_DONE


def size_mb(file: ModelFile) -> str:
    """Size of a model file in MB: the actual one, else the one in the manifest."""
    path = store.model_path(file)
    size = path.stat().st_size if path.is_file() else file.bytes
    return f"{size / 1e6:.1f}" if size else ""


def source_lines(files: Iterable[ModelFile]) -> list[str]:
    """Lines that list where to get these files: first those to pull, then those to import by hand."""
    pulled: dict[str, list[str]] = {}
    imported: dict[str, list[str]] = {}
    for file in files:
        (pulled if file.wheel else imported).setdefault(file.wheel or file.source or "no known place", []).append(
            file.published or file.file
        )
    lines = []
    for group, heading in ((pulled, "Missing; pulled on first use, or by: remi-stream models pull"), (imported, IMPORT_HINT)):
        lines += ["", heading] if group else []
        lines += [line for source, names in group.items() for line in (f"  {source}", f"    {'  '.join(names)}")]
    return lines


IMPORT_HINT = "Missing; download from the source, then: remi-stream models import FILE"
