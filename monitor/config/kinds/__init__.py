"""Kinds of check: one model, one file each. A new kind is a model, a member of the union, a row in `probes.PROBES`."""

from __future__ import annotations

import typing
from typing import Annotated

from pydantic import Field

from monitor.config.checkbase import CheckBase
from monitor.config.kinds.agents import AgentsCheck
from monitor.config.kinds.command import CommandCheck
from monitor.config.kinds.database import DatabaseCheck
from monitor.config.kinds.dns import DnsCheck
from monitor.config.kinds.docker import DockerCheck
from monitor.config.kinds.group import GroupCheck
from monitor.config.kinds.grpc import GrpcCheck
from monitor.config.kinds.heartbeat import HeartbeatCheck
from monitor.config.kinds.host import HostCheck
from monitor.config.kinds.http import HttpCheck
from monitor.config.kinds.icmp import IcmpCheck
from monitor.config.kinds.job import JobCheck
from monitor.config.kinds.mqtt import MqttCheck
from monitor.config.kinds.queue import QueueCheck
from monitor.config.kinds.redis import RedisCheck
from monitor.config.kinds.service import ServiceCheck
from monitor.config.kinds.smtp import SmtpCheck
from monitor.config.kinds.ssh import SshCheck
from monitor.config.kinds.steps import StepsCheck
from monitor.config.kinds.systemd import SystemdCheck
from monitor.config.kinds.tcp import TcpCheck
from monitor.config.kinds.tls import TlsCheck
from monitor.config.kinds.udp import UdpCheck
from monitor.config.kinds.websocket import WebsocketCheck

AnyCheck = (
    HttpCheck
    | StepsCheck
    | ServiceCheck
    | TlsCheck
    | TcpCheck
    | UdpCheck
    | DnsCheck
    | IcmpCheck
    | SshCheck
    | SmtpCheck
    | WebsocketCheck
    | MqttCheck
    | GrpcCheck
    | DatabaseCheck
    | RedisCheck
    | QueueCheck
    | HostCheck
    | SystemdCheck
    | DockerCheck
    | CommandCheck
    | JobCheck
    | HeartbeatCheck
    | AgentsCheck
    | GroupCheck
)
Check = Annotated[AnyCheck, Field(discriminator="type")]
CHECK_MODELS: dict[str, type[CheckBase]] = {
    typing.get_args(model.model_fields["type"].annotation)[0]: model for model in typing.get_args(AnyCheck)
}

__all__ = [
    "CHECK_MODELS",
    "AgentsCheck",
    "AnyCheck",
    "Check",
    "CommandCheck",
    "DatabaseCheck",
    "DnsCheck",
    "DockerCheck",
    "GroupCheck",
    "GrpcCheck",
    "HeartbeatCheck",
    "HostCheck",
    "HttpCheck",
    "IcmpCheck",
    "JobCheck",
    "MqttCheck",
    "QueueCheck",
    "RedisCheck",
    "ServiceCheck",
    "SmtpCheck",
    "SshCheck",
    "StepsCheck",
    "SystemdCheck",
    "TcpCheck",
    "TlsCheck",
    "UdpCheck",
    "WebsocketCheck",
]
