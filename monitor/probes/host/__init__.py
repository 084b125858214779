"""The `host` kind: what is used of this machine, or of the container's share of it, with who uses it as evidence.

    percent    cpu memory swap disk inode     against `warn_percent` and `crit_percent`
    load       per core                       against `warn` and `crit`
    process    number and memory              against `min_count`, `max_count`, `warn_rss_mib`, `crit_rss_mib`

What can hang in the kernel, a dead network mount above all, is asked in a helper thread that may be left behind.
"""

from monitor.probes.host.probe import probe_host

__all__ = ["probe_host"]
