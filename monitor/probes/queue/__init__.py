"""The `queue` kind: how many messages wait, how old the oldest is, and who takes them.

rabbitmq.py     RabbitMQ's management API ─┐
redisqueue.py   a Redis list or stream    ─┴─▶ Depth ─▶ probe.py judges
"""

from monitor.probes.queue.probe import probe_queue

__all__ = ["probe_queue"]
