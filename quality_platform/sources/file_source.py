"""Files as a table's source: each file is a part, and new by its content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from glob import has_magic
from itertools import takewhile
from typing import NoReturn

from quality_platform.config.source_models import FileSourceConfig
from quality_platform.errors import SourceChangedError, SourceError
from quality_platform.lake.position import Position, SourceVersion
from quality_platform.sources.checksums import with_algorithm
from quality_platform.sources.drifting_files import file_batches
from quality_platform.sources.files import find_files, list_files, versioned
from quality_platform.sources.object_storage import absolute_pattern, storage_of
from quality_platform.sources.protocol import Part, SourceContext, SourceFile, Wanted
from quality_platform.sources.schema_drift import SchemaDrift


@dataclass(frozen=True)
class FileSource:
    """The files that a path or glob of runner.yaml names."""

    config: FileSourceConfig
    context: SourceContext

    def parts(self, wanted: Wanted) -> Sequence[Part]:
        """The files whose content is not yet in the table; where all matter, all files or none.

        All matter in `replace`, and where rows that are gone are told by comparison.

        Raises:
            SourceNotFoundError: there is no file.
            SourceChangedError: a file that was appended has another content now.
        """
        files, refused = self._files(wanted)
        new = files if wanted.full_refresh else self._new(files, wanted.position, refused)
        whole = len(new) == len(files)
        drift = SchemaDrift.of(self.context, self.config)
        parts = [
            Part(
                name,
                file.checksum,
                partial(file_batches, file, self.config, drift),
                whole,
                file.stamp,
            )
            for name, file in new.items()
        ]
        parts += [Part(name, "", partial(_raise, error)) for name, error in refused.items()]
        return tuple(sorted(parts, key=lambda part: part.name))

    def loaded(self, name: str, version: SourceVersion) -> SourceFile | None:
        """The version of a file that was loaded; None where it is gone, or has another content.

        Raises:
            SourceError: the file cannot be looked at.
        """
        pattern = absolute_pattern(self.config.path, self.context.resolve)
        path = f"{_fixed_folder(pattern)}/{name}"
        for found in list_files(path, storage_of(self.config)):
            is_meant = found.path == path and self.context.fence.allows(path)
            if is_meant and (file := versioned(found, version)).checksum == version.version:
                return file
        return None

    def _files(self, wanted: Wanted) -> tuple[dict[str, SourceFile], dict[str, SourceError]]:
        """The files by their name below the source's folder, and those that are passed over."""
        pattern = absolute_pattern(self.config.path, self.context.resolve)
        folder = _fixed_folder(pattern)
        found = find_files(
            pattern,
            location=self.context.location("source", "path"),
            field=f"tables.{self.context.table}.source.path",
            storage=storage_of(self.config),
            checksums=False,
        )
        field = f"tables.{self.context.table}.source.path"
        self.context.fence.require(found, self.context.location("source", "path"), field)
        files: dict[str, SourceFile] = {}
        refused: dict[str, SourceError] = {}
        for file in found:
            name = file.path.removeprefix(f"{folder}/")
            try:
                files[name] = versioned(file, wanted.position.sources.get(name))
            except SourceError as error:
                if error.transient or wanted.full_refresh or not self._passes_over:
                    raise
                refused[name] = error
        return files, refused

    @property
    def _passes_over(self) -> bool:
        """Whether a file that cannot be loaded is told when it is read, and no sooner."""
        return self.context.load.on_file_error == "continue"

    def _new(
        self,
        files: Mapping[str, SourceFile],
        position: Position,
        refused: dict[str, SourceError],
    ) -> Mapping[str, SourceFile]:
        """The files to read; what has changed since is refused, or added to `refused`."""
        load = self.context.load
        known = {name: source.version for name, source in position.sources.items()}
        new = {name: file for name, file in files.items() if known.get(name) != file.checksum}
        if load.mode == "replace" or (load.deletes and load.deletes.by == "comparison"):
            return {} if not new and known.keys() == files.keys() else files
        if load.mode != "append":
            return new
        for name in [name for name in new if name in known]:
            error = self._changed(name, new.pop(name), position)
            if not self._passes_over:
                raise error
            refused[name] = error
        return new

    def _changed(self, name: str, file: SourceFile, position: Position) -> SourceChangedError:
        before = position.sources[name]
        return SourceChangedError(
            f"the file {name} was ingested by load {before.load_id} and has changed since",
            location=self.context.location(),
            field=f"tables.{self.context.table}",
            received=with_algorithm(file.checksum),
            allowed=with_algorithm(before.version),
            action="deliver the corrected rows in a file of another name, "
            "or use load.mode: replace or merge",
        )


def open_source(config: FileSourceConfig, context: SourceContext) -> FileSource:
    """The files that the configuration names."""
    return FileSource(config, context)


def _raise(error: SourceError) -> NoReturn:
    raise error


def _fixed_folder(pattern: str) -> str:
    """The part of a glob before its first wildcard: where the source's folder begins."""
    *folders, _ = pattern.split("/")
    return "/".join(takewhile(lambda part: not has_magic(part), folders))
