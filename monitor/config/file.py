"""A checks file as everybody in one process sees it: read once, and again when it or what it includes has changed.

The checker and the views share one. Thousands of validated checks take tens of megabytes and seconds.
"""

from __future__ import annotations

import threading
from pathlib import Path

from monitor.config.loading import ConfigError, LoadedConfig, load_config


class ConfigFile:
    """One file. Safe for threads: while one reads, the others wait for what it finds."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._lock = threading.Lock()
        self._read: LoadedConfig | ConfigError | None = None
        self._good: LoadedConfig | None = None

    def read(self) -> LoadedConfig:
        """Return the configuration as the file has it now; ConfigError while it is invalid."""
        with self._lock:
            known = self._read.sources if self._read else None
            if known is None or known.have_changed():
                self._read = self._load()
                if isinstance(self._read, LoadedConfig):
                    self._good = self._read
            found = self._read
        if isinstance(found, ConfigError):
            # Raised again and again, with a traceback of its own each time.
            raise ConfigError(found.errors, found.sources)
        assert found is not None
        return found

    def last_good(self) -> LoadedConfig | None:
        """Return the configuration as it is now or, while it is invalid, as it was when it was last read as good.

        The checker goes on with that one, too. None where this process has never seen it good.
        """
        try:
            return self.read()
        except ConfigError:
            return self._good

    def _load(self) -> LoadedConfig | ConfigError:
        try:
            return load_config(self.path)
        except ConfigError as error:
            return error.with_traceback(None)
