"""`checks.yaml`, the environment, and what both say: validated whole, all errors at once."""

from monitor.config.environment import Environment, make_redactor
from monitor.config.loading import (
    BUILT_IN_CHANNELS,
    ConfigError,
    LoadedConfig,
    complete,
    load_config,
    parse_config,
)
from monitor.config.models import (
    CHECK_MODELS,
    ChannelBlock,
    CheckBase,
    Config,
    DiagnosisBlock,
    HostCheck,
    HttpCheck,
    HttpPost,
    JobCheck,
    JsonRule,
)
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
