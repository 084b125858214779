"""`checks.yaml`, the environment, and what both say: validated whole, all errors at once."""

from monitor.config.assertions import JsonRule
from monitor.config.checkbase import CheckBase, HttpPost
from monitor.config.environment import Environment, make_redactor
from monitor.config.kinds import CHECK_MODELS, HostCheck, HttpCheck, JobCheck
from monitor.config.loading import (
    BUILT_IN_CHANNELS,
    ConfigError,
    LoadedConfig,
    complete,
    load_config,
    parse_config,
)
from monitor.config.models import ChannelBlock, Config, DiagnosisBlock
from monitor.config.place import Place

__all__ = [
    "BUILT_IN_CHANNELS",
    "CHECK_MODELS",
    "ChannelBlock",
    "CheckBase",
    "Config",
    "ConfigError",
    "DiagnosisBlock",
    "Environment",
    "HostCheck",
    "HttpCheck",
    "HttpPost",
    "JobCheck",
    "JsonRule",
    "LoadedConfig",
    "Place",
    "complete",
    "load_config",
    "make_redactor",
    "parse_config",
]
