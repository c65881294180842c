"""Read a registry from where it is written: a YAML file, a folder of them, or a mapping."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from pytest_otel_spans.registries.registry import Registry, RegistryError
from pytest_otel_spans.registries.resolving import resolve

__all__ = ["RegistrySource", "read_registry"]

RegistrySource: TypeAlias = str | os.PathLike[str] | Mapping[str, Any]
_ENDINGS: Final = (".yaml", ".yml")


class _Stamp(NamedTuple):
    """A file as it was when it was read."""

    path: Path
    changed_ns: int
    size: int


def read_registry(source: RegistrySource) -> Registry:
    """Return the registry that an argument is, or is the path of.

    Raises:
        RegistryError: There is none, or it cannot be read.
        TypeError: The argument is neither.
    """
    if isinstance(source, Mapping):
        return resolve([source], "the registry")
    if not isinstance(source, str | os.PathLike):
        raise TypeError(
            "a registry is the path of a YAML file, or of a folder of them, or what such a file "
            f"holds as a mapping, not {source!r}"
        )
    path = Path(source)
    files = tuple(_stamps(path))
    if not files:
        what = "no YAML file is in" if path.is_dir() else "there is no file"
        raise RegistryError(f"{what} {path} (seen from {Path.cwd()})")
    return _read(files, str(source))


def _stamps(path: Path) -> Iterator[_Stamp]:
    inside = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in inside:
        if file.is_file() and (file == path or file.suffix in _ENDINGS):
            state = file.stat()
            yield _Stamp(file, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=8)
def _read(files: tuple[_Stamp, ...], shown: str) -> Registry:
    """Read the files; as long as they stay as they are, many tests read them once."""
    return resolve([_document(stamp.path) for stamp in files], shown)


def _document(path: Path) -> Any:
    try:
        import yaml
    except ImportError as missing:
        raise RegistryError(
            f"{path} is YAML, and reading it needs PyYAML, which cannot be imported ({missing}): "
            "pip install pyyaml"
        ) from None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where it was built
    try:
        return yaml.load(path.read_bytes(), Loader=loader)  # noqa: S506 - both loaders are safe
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise RegistryError(f"{path} is no YAML: line {line}: {error.problem}") from None
    except yaml.YAMLError as error:
        reason = str(error).splitlines()[0]
        raise RegistryError(f"{path} is no YAML: {reason}") from None
