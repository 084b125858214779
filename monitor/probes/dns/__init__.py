"""The `dns` kind: ask name servers one question, judge what they answer.

asking.py   one question, each server in turn ─┐
records.py  records as texts                  ─┴─▶ probe.py judges
"""

from monitor.probes.dns.probe import probe_dns

__all__ = ["probe_dns"]
