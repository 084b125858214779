"""`checks.yaml`, the environment, and what both say: validated whole, all errors at once."""

from monitor.config.assertions import JsonRule
from monitor.config.checkbase import CheckBase, HttpPost
from monitor.config.environment import Environment, make_redactor
from monitor.config.file import ConfigFile
from monitor.config.include import Sources
from monitor.config.kinds import CHECK_MODELS, GroupCheck, HostCheck, HttpCheck, JobCheck
from monitor.config.loading import ConfigError, LoadedConfig, complete, load_config, parse_config
from monitor.config.models import ChannelBlock, Config, DiagnosisBlock, VantageBlock
from monitor.config.names import BUILT_IN_CHANNELS
from monitor.config.place import Place
from monitor.config.references import ancestors_of, members_of

__all__ = [
    "BUILT_IN_CHANNELS",
    "CHECK_MODELS",
    "ChannelBlock",
    "CheckBase",
    "Config",
    "ConfigError",
    "ConfigFile",
    "DiagnosisBlock",
    "Environment",
    "GroupCheck",
    "HostCheck",
    "HttpCheck",
    "HttpPost",
    "JobCheck",
    "JsonRule",
    "LoadedConfig",
    "Place",
    "Sources",
    "VantageBlock",
    "ancestors_of",
    "complete",
    "load_config",
    "make_redactor",
    "members_of",
    "parse_config",
]
