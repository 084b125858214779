"""`checks.yaml`, the environment, and what both say: validated whole, all errors at once."""

from monitor.config.alerting import MaintenanceBlock, OnCallBlock, RouteBlock
from monitor.config.assertions import JsonRule
from monitor.config.channelblock import ChannelBlock
from monitor.config.checkbase import CheckBase
from monitor.config.environment import Environment, make_redactor
from monitor.config.explain import faults
from monitor.config.file import ConfigFile
from monitor.config.include import Sources
from monitor.config.kinds import CHECK_MODELS, GroupCheck, HostCheck, HttpCheck, JobCheck
from monitor.config.loading import ConfigError, LoadedConfig, complete, load_config, parse_config
from monitor.config.matching import Match, misses
from monitor.config.models import Config, DiagnosisBlock, VantageBlock
from monitor.config.names import BUILT_IN_CHANNELS
from monitor.config.place import Place
from monitor.config.references import ancestors_of, members_of
from monitor.config.remarks import Remark
from monitor.config.remedies import Action, CommandAction, DockerRestart, HttpPost, OnFail, SystemdRestart
from monitor.config.ruleblock import RuleBlock

__all__ = [
    "BUILT_IN_CHANNELS",
    "CHECK_MODELS",
    "Action",
    "ChannelBlock",
    "CheckBase",
    "CommandAction",
    "Config",
    "ConfigError",
    "ConfigFile",
    "DiagnosisBlock",
    "DockerRestart",
    "Environment",
    "GroupCheck",
    "HostCheck",
    "HttpCheck",
    "HttpPost",
    "JobCheck",
    "JsonRule",
    "LoadedConfig",
    "MaintenanceBlock",
    "Match",
    "OnCallBlock",
    "OnFail",
    "Place",
    "Remark",
    "RouteBlock",
    "RuleBlock",
    "Sources",
    "SystemdRestart",
    "VantageBlock",
    "ancestors_of",
    "complete",
    "faults",
    "load_config",
    "make_redactor",
    "members_of",
    "misses",
    "parse_config",
]
