"""Every error of the program, named by the rule that was broken.

CarburoamError
├── SettingRefused        a setting cannot be used as it stands
├── FeedError             the national feed gave nothing to load
│   ├── FeedUnreachable   it could not be fetched: network, time-out, HTTP status, certificate
│   └── FeedRefused       it was fetched, or would lead somewhere, and must not be loaded
├── LoadRunning           another load holds the load lock
├── PlaceUnknown          no station is known at the place that was asked for
└── StationUnknown        no station has this id
"""

from __future__ import annotations


class CarburoamError(Exception):
    """Base of every error that the program raises on purpose; its text is one line, fit for a log."""


class SettingRefused(CarburoamError):
    """A setting cannot be used; the text names the setting and what is wrong with it."""


class FeedError(CarburoamError):
    """The feed gave nothing to load; what was loaded before stays."""


class FeedUnreachable(FeedError):
    """The feed could not be fetched."""


class FeedRefused(FeedError):
    """The feed was fetched and must not be loaded as a whole."""


class LoadRunning(CarburoamError):
    """Another load is under way; loads run one at a time."""


class PlaceUnknown(CarburoamError):
    """No station is known at the place that was asked for."""


class StationUnknown(CarburoamError):
    """No station has the id that was asked for."""
