"""JSONPath, compiled once: parsing a path costs fifty times more than using it."""

from __future__ import annotations

from functools import lru_cache

from jsonpath_ng import JSONPath
from jsonpath_ng.ext import parse


@lru_cache(maxsize=10_000)
def compile_path(path: str) -> JSONPath:
    """Return the compiled path; ValueError that shows an example when it cannot be read."""
    try:
        return parse(path)
    except Exception as error:  # jsonpath-ng raises bare Exception for bad paths
        raise ValueError(f"expected a JSONPath such as $.ok, got {path!r} ({error})") from error
