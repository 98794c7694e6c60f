"""What every sensor does around its look: tell errors without what other libraries say."""

from collections.abc import Iterator
from contextlib import contextmanager

from quality_platform.errors import QualityPlatformError


@contextmanager
def clear_errors() -> Iterator[None]:
    """Errors of the platform fail the tick with their own text alone.

    Their causes are texts of other libraries, which may hold secrets.

    Raises:
        QualityPlatformError: the error, without what led to it.
    """
    try:
        yield
    except QualityPlatformError as error:
        raise type(error).of(error.problems) from None
