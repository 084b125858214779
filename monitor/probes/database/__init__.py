"""The `database` kind: log in, run one query, judge its rows, the time it took and how many connections are in use.

postgres.py  our own client of the v3 protocol: libpq cannot be held to a deadline (a server names how often a password
             is hashed, and libpq hashes without letting go of Python's lock), nor to an amount of memory
             postgreslogin.py shows it that we know the password, by scram.py where it can
mariadb.py   PyMySQL over a `Stream`
sqlite.py    the standard library's
session.py   what the three have in common
"""

from monitor.probes.database.probe import probe_database

__all__ = ["probe_database"]
