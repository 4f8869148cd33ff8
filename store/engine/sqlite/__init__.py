"""All that only a file needs.

`driver` is the SQLite library: the packaged one, which is newer than Python's own, where there is a wheel.
"""

from types import ModuleType

try:
    from pysqlite3 import dbapi2 as _driver
except ImportError:  # no wheel for this platform
    from sqlite3 import dbapi2 as _driver

driver: ModuleType = _driver
