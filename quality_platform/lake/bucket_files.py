"""Files in buckets that have keys of their own, beside those of the catalog's properties.

A catalog of pyiceberg's has one set of keys for all of its tables. The class here, which pyiceberg
makes by its name in the property `py-io-impl`, takes those of the bucket that a file is in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from pyarrow.fs import FileSystem
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.typedef import EMPTY_DICT, Properties

from quality_platform.errors import StorageAccessError

_OWN = "quality-platform.bucket|"
_REASON = "reason"
_INHERITED = ("s3.connect-timeout", "s3.request-timeout")
"""Properties of the catalog that hold for all buckets: no key is one."""


def bucket_properties(bucket: str, keys: Mapping[str, str]) -> dict[str, str]:
    """Properties for a catalog by which the files of a bucket are read and written with `keys`."""
    return {f"{_OWN}{bucket}|{key}": text for key, text in keys.items()}


def closed_bucket(bucket: str, reason: str) -> dict[str, str]:
    """Properties for a catalog that can do nothing with the files of a bucket, and says why."""
    return bucket_properties(bucket, {_REASON: reason})


def io_property() -> dict[str, str]:
    """The property of a catalog by which it reads and writes files as the others say."""
    return {"py-io-impl": f"{__name__}.{BucketFileIO.__name__}"}


class BucketFileIO(PyArrowFileIO):
    """Reads and writes the files of each bucket with the bucket's own keys, if it has any."""

    def __init__(self, properties: Properties = EMPTY_DICT) -> None:
        super().__init__(properties)
        self._common = self.fs_by_scheme
        self._own = {
            bucket: _Bucket(bucket, {**_inherited(properties), **keys})
            for bucket, keys in _keys_by_bucket(properties).items()
        }
        self.fs_by_scheme = self._file_system

    def _file_system(self, scheme: str, host: str | None = None) -> FileSystem:
        own = self._own.get(host or "")
        return own.file_system(scheme) if own else self._common(scheme, host)


class _Bucket:
    """One bucket and its keys."""

    def __init__(self, name: str, properties: Mapping[str, str]) -> None:
        self._name = name
        self._reason = properties.get(_REASON, "")
        self._io = PyArrowFileIO(dict(properties))

    def file_system(self, scheme: str) -> FileSystem:
        """How its files are reached.

        Raises:
            StorageAccessError: its keys could not be had.
        """
        if self._reason:
            raise StorageAccessError(
                f"there are no keys for the bucket {self._name}: {self._reason}",
                received=self._name,
                action="see to it that the secrets of its `storage` can be had",
            )
        return self._io.fs_by_scheme(scheme, self._name)


def _keys_by_bucket(properties: Properties) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for name, text in properties.items():
        if name.startswith(_OWN):
            bucket, _, key = name.removeprefix(_OWN).partition("|")
            found[bucket][key] = str(text)
    return found


def _inherited(properties: Properties) -> dict[str, str]:
    return {key: str(properties[key]) for key in _INHERITED if key in properties}
