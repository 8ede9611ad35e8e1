"""Every error of the program, named by the rule that was broken.

CarburoamError
├── SettingRefused        a setting cannot be used as it stands
├── CopyRefused           a database can't be copied to another without losing something
├── DatabaseBusy          others were writing all the time that a writer may wait
├── DatabaseNewer         a newer version of the program has changed the tables of the database
├── FeedError             the national feed gave nothing to load
│   ├── FeedUnreachable   it could not be fetched: network, time-out, HTTP status, certificate
│   └── FeedRefused       it was fetched, or would lead somewhere, and must not be loaded
│       └── FeedShrunk    it holds less than half of the stations of the feed before
├── LoadRunning           another load holds the load lock
├── PlaceUnknown          no station is known at the place that was asked for
├── SearchRefused         a search in an address can't be read
├── ParametersRefused     parameters of a request to the API can't be read
├── StationUnknown        no station has this id
├── FavouriteError        a list of favourites can't take or change what was asked
│   ├── AlreadyFavourite  the station is in it already
│   ├── FavouriteUnknown  the station is not in it: removed elsewhere, or never there
│   ├── FavouritesFull    it holds as many stations as one driver may keep
│   └── FavouriteNameRefused  a name of one's own that is too long
├── DriverUnknown         no driver has this id (any more)
├── NotSaved              the database can't be written to now, or is gone; nothing was saved
├── MailRefused           a mail could not be sent now; it is kept and tried again
│   ├── MailServerAway    the mail server can't be reached or used now, so no other mail would go either
│   └── MailRejected      the mail server will never take this mail
├── AdminError            an admin asked for what must not be
│   ├── AdminOnly         who asks is no admin, or no longer
│   ├── LastAdmin         without this account no admin could log in any more
│   ├── AccountShut       the account is locked or its address not confirmed, so no mail is sent to it
│   ├── AccountUnconfirmed  the address of the account is not confirmed, so it can't be an admin's
│   └── RefusedFeedGone   no feed that was refused waits to be accepted: another load came in between
└── AccountError          an account was asked for what it can't give
    ├── UsernameRefused   not of the form of a username
    ├── UsernameTaken     another driver has it
    ├── EmailRefused      not an e-mail address
    ├── EmailTaken        another account has it (said only where no mail can be sent)
    ├── NameRefused       empty or too long
    ├── PasswordRefused   too short, too long, too common, or it holds the username
    ├── FigureRefused     a figure of the vehicle that no vehicle has
    ├── PasswordWrong     not the password of this account
    ├── LoginRefused      no account has this name and this password, or it still asks for its code
    ├── TooManyTries      wait before trying again
    │   ├── TooManyAtOnce   more passwords wait to be checked than the server takes
    │   ├── TooManyGuesses  a name was tried too often today, from wherever its account is not known
    │   └── TooManyCodes    too many codes were tried for a name outside of the browser that asked for one
    ├── CodeMalformed     of another form than any code that is mailed
    ├── CodeWrong         not the code that was mailed
    └── CodeExpired       too old, tried too often, spent, or never asked for
"""

from __future__ import annotations

from collections.abc import Collection, Mapping


class CarburoamError(Exception):
    """Base of every error that the program raises on purpose; its text is one line, fit for a log."""


class SettingRefused(CarburoamError):
    """A setting cannot be used; the text names the setting and what is wrong with it."""


class CopyRefused(CarburoamError):
    """A database can't be copied to another one without losing something."""


class DatabaseBusy(CarburoamError, OSError):
    """Others were writing all the time that a writer may wait, or enough changes of one client wait; nothing was done.

    An OSError too: who copes with a database that is out of reach copes with one that can't be written to.
    """


class DatabaseNewer(CarburoamError, OSError):
    """The tables of the database are of a newer version than this program.

    An OSError too: who copes with a database that is out of reach copes with one that can't be used.
    """


class FeedError(CarburoamError):
    """The feed gave nothing to load; what was loaded before stays."""


class FeedUnreachable(FeedError):
    """The feed could not be fetched."""


class FeedRefused(FeedError):
    """The feed was fetched and must not be loaded as a whole."""


class FeedShrunk(FeedRefused):
    """The feed holds less than half of the stations of the one before, without those `gone`; an admin can accept it."""

    def __init__(self, station_count: int, station_count_before: int, gone: Collection[int]) -> None:
        super().__init__(f"it holds {station_count} stations, less than half of the {station_count_before} before")
        self.station_count = station_count
        self.station_count_before = station_count_before
        self.gone = gone


class LoadRunning(CarburoamError):
    """Another load is under way; loads run one at a time."""


class PlaceUnknown(CarburoamError):
    """No station is known at the place that was asked for."""


class SearchRefused(CarburoamError):
    """A search in an address can't be read; the text says what is wrong with it."""


class ParametersRefused(CarburoamError):
    """Parameters of a request can't be read: `errors` says of each what is wrong with it."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name} {complaint}" for name, complaint in errors.items()))
        self.errors = dict(errors)


class TooManyRequests(CarburoamError):
    """An address has asked for more than it may; `seconds`: when it may ask again."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many requests; the next one may come in {seconds} s")
        self.seconds = seconds


class StationUnknown(CarburoamError):
    """No station has the id that was asked for."""


class FavouriteError(CarburoamError):
    """A list of favourites can't take or change what was asked."""


class AlreadyFavourite(FavouriteError):
    """The station is in the list already."""


class FavouriteUnknown(FavouriteError):
    """The station is not in the list: it was removed elsewhere, or was never there."""


class FavouritesFull(FavouriteError):
    """The list holds as many stations as one driver may keep."""


class FavouriteNameRefused(FavouriteError):
    """The name is too long."""


class DriverUnknown(CarburoamError):
    """No driver has this id: the account was deleted since its session was looked up."""


class NotSaved(CarburoamError):
    """The database can't be written to now, or is gone: what was to be saved is not."""


class MailRefused(CarburoamError):
    """A mail could not be sent now; it is kept and tried again. The text may quote the mail server."""


class MailServerAway(MailRefused):
    """The mail server can't be reached, does not answer in time, or takes no mail at all from us now."""


class MailRejected(MailRefused):
    """The mail server will never take this mail: it answered its recipient or its content with 5xx."""


class AdminError(CarburoamError):
    """An admin asked for what must not be."""


class AdminOnly(AdminError):
    """Who asks is no admin, or no longer."""


class LastAdmin(AdminError):
    """Without this account no admin could log in any more."""


class AccountShut(AdminError):
    """The account is locked, or its address was never confirmed: no mail is sent to it."""


class AccountUnconfirmed(AdminError):
    """The address of the account is not confirmed: anyone may still take its names, so it can't be an admin's."""


class RefusedFeedGone(AdminError):
    """No refused feed waits to be accepted: another was refused, or one was loaded, in between."""


class AccountError(CarburoamError):
    """An account was asked for what it can't give."""


class UsernameRefused(AccountError):
    """The text has not the form of a username."""


class UsernameTaken(AccountError):
    """Another driver has this username."""


class EmailRefused(AccountError):
    """The text is no e-mail address."""


class EmailTaken(AccountError):
    """Another account has this address."""


class NameRefused(AccountError):
    """The name is empty or too long."""


class PasswordRefused(AccountError):
    """The password breaks a rule: `rule` is one of short, long, common, username."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


class FigureRefused(AccountError):
    """A figure of the vehicle lies outside of what vehicles have; the text names the figure."""

    def __init__(self, name: str, lowest: float, highest: float) -> None:
        super().__init__(name)
        self.name = name
        self.lowest = lowest
        self.highest = highest


class PasswordWrong(AccountError):
    """The password is not the one of this account."""


class LoginRefused(AccountError):
    """No account has this name and this password, or a new one asks for its code; what is wrong is not said."""


class TooManyTries(AccountError):
    """There were too many tries; `wait_seconds` says how long to wait."""

    def __init__(self, wait_seconds: float) -> None:
        super().__init__(f"{wait_seconds:.0f}")
        self.wait_seconds = wait_seconds


class TooManyAtOnce(TooManyTries):
    """More passwords wait to be checked than the server takes, of all clients or of this one."""

    def __init__(self) -> None:
        super().__init__(5.0)


class TooManyGuesses(TooManyTries):
    """A name was tried too often today, from all addresses together at which its account is not known."""


class TooManyCodes(TooManyTries):
    """Too many codes were tried for a name outside of the browser that asked for one."""


class CodeMalformed(AccountError):
    """No code that is mailed has this length and these letters."""


class CodeWrong(AccountError):
    """This is not the code that was mailed."""


class CodeExpired(AccountError):
    """The code is too old, was tried too often or spent, or none was ever asked for."""
