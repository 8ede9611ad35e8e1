"""The tables. `docs` of each column say what its value means; units are in the names where a type can't say them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import JSON, BigInteger, DateTime, ForeignKey, Index, MetaData, String, Text, TypeDecorator, false
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from text import LONG_WORDS

# The feed's own ids of the fuels ("Prix des carburants en France", data.economie.gouv.fr), the most sold first: the
# order in which people are shown them.
FUEL_NAMES = {5: "E10", 1: "Gazole", 6: "SP98", 2: "SP95", 3: "E85", 4: "GPLc"}

_WORD = re.compile(r"[^\W_]+")
_KEY_WORDS = {**LONG_WORDS, "lez": "les"}  # "Villeneuve-lez-Avignon" is written with lès and les too


def sort_fuels(fuel_ids: Iterable[int]) -> tuple[int, ...]:
    """Return these fuels, each once and none that is unknown, in the order in which people are shown them."""
    asked = set(fuel_ids)
    return tuple(fuel_id for fuel_id in FUEL_NAMES if fuel_id in asked)


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: aware in Python, stored as a naive date and time in UTC on every database."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


def make_instant_reader(dialect: Dialect) -> Callable[[Any], datetime | None]:
    """Return what makes an instant of what this database's driver returns for one, as UtcDateTime does by itself."""
    read = UtcDateTime().dialect_impl(dialect).result_processor(dialect, None)
    return cast(Callable[[Any], datetime | None], read)  # never none: there is always the time zone


class Base(DeclarativeBase):
    """The one base, with names for constraints so that migrations can speak of them on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime()}


class GasType(Base):
    """A fuel; `id` is the feed's own."""

    __tablename__ = "gas_types"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(20))


class Service(Base):
    """A kind of service that stations offer, by the name that the feed gives it."""

    __tablename__ = "services"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(200), unique=True)


class Station(Base):
    """A station; `id` is the feed's own and the only thing that tells two stations apart."""

    __tablename__ = "stations"
    __table_args__ = (
        Index("ix_stations_latitude_longitude", "latitude", "longitude"),
        Index("ix_stations_town_key", "town_key"),
        Index("ix_stations_zip_code", "zip_code"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    latitude: Mapped[float] = mapped_column(doc="WGS84 degrees")
    longitude: Mapped[float] = mapped_column(doc="WGS84 degrees")
    is_location_doubtful: Mapped[bool] = mapped_column(
        server_default=false(), doc="another department's: not to be shown on a map or counted with in distances"
    )
    address: Mapped[str] = mapped_column(String(300), doc="may be empty, as in the feed")
    town: Mapped[str] = mapped_column(String(120))
    zip_code: Mapped[str] = mapped_column(String(10), doc="text, leading zero kept")
    town_key: Mapped[str] = mapped_column(String(120), doc="the town without case, accents and punctuation")
    address_key: Mapped[str] = mapped_column(
        String(300), server_default="", doc="the address in the form of town_key, to be searched in"
    )
    is_motorway: Mapped[bool]
    has_automat: Mapped[bool] = mapped_column(doc="sells day and night by an automat")
    opening_hours: Mapped[str | None] = mapped_column(
        String(300), doc="seven days from Monday, as stations.opening_hours reads them; none when not known"
    )
    services: Mapped[str] = mapped_column(Text, doc="ids of services as |1|7|, so that LIKE '%|7|%' finds one")
    left_feed_at: Mapped[datetime | None] = mapped_column(doc="when a load found it gone; none while it is in")
    fingerprint: Mapped[int | None] = mapped_column(
        BigInteger, doc="hash of its element in the feed; none when the next load is to read it again"
    )


class Price(Base):
    """The price of a fuel at a station, as the station last reported it."""

    __tablename__ = "prices"

    station_id: Mapped[int] = mapped_column(ForeignKey("stations.id", ondelete="CASCADE"), primary_key=True)
    gastype_id: Mapped[int] = mapped_column(ForeignKey("gas_types.id"), primary_key=True)
    price: Mapped[int] = mapped_column(doc="thousandths of a euro per litre")
    updated_at: Mapped[datetime] = mapped_column(doc="when the station reported it, UTC")


class StationBrand(Base):
    """What a station is called and whose it is, from another source than the feed, which has neither.

    Not bound to `stations`: the list may come before the feed and names stations that have left it.
    """

    __tablename__ = "station_brands"
    __table_args__ = (Index("ix_station_brands_brand_key", "brand_key"),)

    station_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    brand: Mapped[str] = mapped_column(String(60), doc="may be empty")
    brand_key: Mapped[str] = mapped_column(String(60), doc="the brand in the form of town_key")
    name: Mapped[str] = mapped_column(String(120), doc="may be empty")
    name_key: Mapped[str] = mapped_column(
        String(120), server_default="", doc="the name in the form of town_key, to be searched in"
    )


class BrandState(Base):
    """Where the brands came from: a row for each list, one or two; none: there are no brands."""

    __tablename__ = "brand_state"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, doc="1, or 2 for the list that fills gaps")
    kind: Mapped[str] = mapped_column(String(20), doc="prix_carburant or openstreetmap: whose list, and so its licence")
    source: Mapped[str] = mapped_column(String(500), doc="address or path, without any password")
    station_count: Mapped[int] = mapped_column(doc="stations of which it gives a brand or a name")
    loaded_at: Mapped[datetime]


class StockOut(Base):
    """A fuel that a station sells and says it has run out of."""

    __tablename__ = "stock_outs"

    station_id: Mapped[int] = mapped_column(ForeignKey("stations.id", ondelete="CASCADE"), primary_key=True)
    gastype_id: Mapped[int] = mapped_column(ForeignKey("gas_types.id"), primary_key=True)
    began_at: Mapped[datetime | None] = mapped_column(doc="UTC; none when the feed's date can't be read")


class FuelFigure(Base):
    """What a fuel costs in the whole country, over the prices that were fresh and plausible at the last load."""

    __tablename__ = "fuel_figures"

    gastype_id: Mapped[int] = mapped_column(ForeignKey("gas_types.id"), primary_key=True)
    median_price: Mapped[int] = mapped_column(doc="thousandths of a euro per litre, of all fresh prices")
    lowest_price: Mapped[int] = mapped_column(doc="thousandths of a euro per litre, fresh, plausible, in stock")
    station_count: Mapped[int] = mapped_column(doc="stations that sell it at a fresh and plausible price")
    fresh_from: Mapped[datetime] = mapped_column(doc="a price reported before this instant was old then")
    plausible_from: Mapped[int] = mapped_column(doc="thousandths of a euro per litre; a lower price is implausible")
    plausible_to: Mapped[int] = mapped_column(doc="thousandths of a euro per litre; a higher price is implausible")


class FeedState(Base):
    """The one row that says what the loaded feed is."""

    __tablename__ = "feed_state"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, doc="always 1")
    source: Mapped[str] = mapped_column(String(500), doc="address or path, without any password")
    is_sample: Mapped[bool] = mapped_column(doc="invented stations, under a banner that says so")
    digest: Mapped[str] = mapped_column(
        String(64), doc="SHA-256 of the archive; empty when the same one is to be read again"
    )
    etag: Mapped[str | None] = mapped_column(String(200))
    last_modified: Mapped[str | None] = mapped_column(String(100))
    station_count: Mapped[int]
    price_count: Mapped[int] = mapped_column(doc="prices seen in it, the rejected ones counted in")
    newest_report_at: Mapped[datetime | None] = mapped_column(doc="the newest price report in it, UTC")
    loaded_at: Mapped[datetime] = mapped_column(doc="when it was last loaded or found unchanged, UTC")
    stock_outs_at: Mapped[datetime | None] = mapped_column(
        doc="when a feed that names stock-outs was last loaded, UTC; none when none ever was"
    )


class EtlRun(Base):
    """One attempt at a load. Without `finished_at` it runs, as long as the load lock is held."""

    __tablename__ = "etl_runs"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    status: Mapped[str | None] = mapped_column(String(20), doc="loaded, unchanged, refused or failed")
    source: Mapped[str] = mapped_column(String(500), default="")
    stations_seen: Mapped[int] = mapped_column(default=0)
    stations_written: Mapped[int] = mapped_column(default=0)
    stations_rejected: Mapped[int] = mapped_column(default=0)
    prices_seen: Mapped[int] = mapped_column(default=0)
    prices_written: Mapped[int] = mapped_column(default=0)
    prices_rejected: Mapped[int] = mapped_column(default=0)
    message: Mapped[str] = mapped_column(Text, default="")


class ClearedRuns(Base):
    """How many runs of a status were deleted for their age, so that counting all there ever were never goes back."""

    __tablename__ = "cleared_runs"

    status: Mapped[str] = mapped_column(String(20), primary_key=True)
    count: Mapped[int]


class RefusedFeed(Base):
    """The one row that says which feed was refused for holding too few stations, until a load succeeds.

    Its archive is kept in the state dir of the machine that refused it.
    """

    __tablename__ = "refused_feed"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, doc="always 1")
    source: Mapped[str] = mapped_column(String(500), doc="address or path, without any password")
    digest: Mapped[str] = mapped_column(String(64), doc="SHA-256 of the archive")
    station_count: Mapped[int]
    station_count_before: Mapped[int] = mapped_column(doc="of the feed loaded last")
    stations_gone: Mapped[int] = mapped_column(doc="stations that loading it would take out of the feed")
    gone_ids: Mapped[list[int]] = mapped_column(JSON, server_default="[]", doc="their ids")
    refused_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None] = mapped_column(doc="when an admin accepted it: the next load takes it")


class User(Base):
    """A driver, without anything that lets one log in; ids are never used again."""

    __tablename__ = "users"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(30), doc="as the driver writes it")
    username_key: Mapped[str] = mapped_column(String(90), unique=True, doc="NFKC, case-folded")
    email: Mapped[str] = mapped_column(
        String(254), doc="empty: registered with the address of another account, never to be confirmed"
    )
    email_key: Mapped[str] = mapped_column(String(254), unique=True, doc="as accounts.identity.make_key makes it")
    name: Mapped[str] = mapped_column(String(80))
    language: Mapped[str] = mapped_column(String(2), default="fr")
    created_at: Mapped[datetime]
    litres_per_100km: Mapped[float | None]
    km_per_year: Mapped[int | None]
    tank_litres: Mapped[int | None]


class Credential(Base):
    """What lets a driver log in, one to one with `users`."""

    __tablename__ = "credentials"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    password_hash: Mapped[str] = mapped_column(String(80), doc="bcrypt")
    role: Mapped[str] = mapped_column(String(10), default="driver", doc="driver or admin")
    confirmed_at: Mapped[datetime | None] = mapped_column(
        doc="when the address was confirmed; as created_at where no mails are sent; none: can't log in"
    )
    locked_at: Mapped[datetime | None] = mapped_column(doc="when an admin locked it: can't log in; none: it is open")
    last_seen_at: Mapped[datetime | None] = mapped_column(doc="when a session of it was last used; none: never")


class FollowedGasType(Base):
    """A fuel that a driver follows."""

    __tablename__ = "followed_gas_types"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    gastype_id: Mapped[int] = mapped_column(ForeignKey("gas_types.id"), primary_key=True)


class CustomStation(Base):
    """A favourite: a station that a driver keeps. Any number of drivers may keep the same one."""

    __tablename__ = "custom_stations"
    __table_args__ = (Index("ix_custom_stations_station_id", "station_id"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    station_id: Mapped[int] = mapped_column(ForeignKey("stations.id", ondelete="CASCADE"), primary_key=True)
    custom_name: Mapped[str] = mapped_column(String(60), doc="what the driver calls it")
    position: Mapped[int] = mapped_column(doc="the driver's own order, the smallest first")
    added_at: Mapped[datetime]


class VerificationCode(Base):
    """An open code of an account for a purpose; only for a new password there may be several."""

    __tablename__ = "verification_codes"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(10), primary_key=True, doc="confirm, password or email")
    code_hash: Mapped[str] = mapped_column(
        String(64), primary_key=True, doc="keyed with the secret key, bound to account and purpose"
    )
    created_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(default=0, doc="none of a code for a new password: see accounts.codes")
    payload: Mapped[str] = mapped_column(String(254), default="", doc="the new address, for the purpose email")


class LoginSession(Base):
    """A browser in which a driver is logged in; the cookie holds what hashes to `token_hash`."""

    __tablename__ = "login_sessions"
    __table_args__ = (Index("ix_login_sessions_user_id", "user_id"),)

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True, doc="SHA-256 of the session id")
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    browser: Mapped[str] = mapped_column(String(120), default="")


class KnownAddress(Base):
    """An address from which a driver has logged in; `address_hash` hides which."""

    __tablename__ = "known_addresses"
    __table_args__ = (Index("ix_known_addresses_seen_at", "seen_at"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    address_hash: Mapped[str] = mapped_column(String(64), primary_key=True, doc="keyed, bound to the account")
    seen_at: Mapped[datetime] = mapped_column(doc="the last log-in from there")


class Attempt(Base):
    """How often something that is limited was done; `subject_hash` hides whose account or address it was."""

    __tablename__ = "attempts"

    subject_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    times: Mapped[int]
    last_at: Mapped[datetime]
    window_began_at: Mapped[datetime]


class AuditRow(Base):
    """What an admin did. It names people as they were called then, and stays when their accounts go."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_at", "at"),
        Index("ix_audit_subject_id", "subject_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    admin_id: Mapped[int | None] = mapped_column(doc="none: the command line")
    admin_name: Mapped[str] = mapped_column(String(30), doc="the username at that time")
    action: Mapped[str] = mapped_column(String(20), doc="one of accounts.audit.ACTIONS")
    subject_id: Mapped[int | None] = mapped_column(doc="the id of the account it was done to, if to one")
    subject: Mapped[str] = mapped_column(String(200), doc="that account's username, or what else it was done to")


class OutboxMail(Base):
    """A mail still to be sent; the row goes when it was."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_next_try_at", "next_try_at"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[str] = mapped_column(String(120), doc="the same at every try, so that a second one is known")
    user_id: Mapped[int | None] = mapped_column(doc="the account whose code it holds; none: it holds no code")
    recipient: Mapped[str] = mapped_column(String(254), doc="empty: a mail to nobody, which is never sent")
    subject: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text)
    html: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None] = mapped_column(
        doc="from then on it is no longer worth sending, as a code that has expired; none: no such instant"
    )
    tries: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime] = mapped_column(doc="a worker that takes it moves this ahead first")
    last_error: Mapped[str | None] = mapped_column(
        String(200), doc="why the last try failed, as mail.clean_reason leaves it; none: no try has failed"
    )


class FailedMail(Base):
    """A mail that was given up, without whose it was and what it said."""

    __tablename__ = "failed_mails"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    failed_at: Mapped[datetime]
    outcome: Mapped[str] = mapped_column(String(10), doc="one of mail.OUTCOMES")
    reason: Mapped[str] = mapped_column(String(200), doc="the last_error of its row; empty: it was never tried")


def make_town_key(town: str) -> str:
    """Return the form under which a town is stored and looked up: no case, accents, punctuation or abbreviation.

    "Saint-Étienne", "ST ETIENNE" and "saint etienne" all give "saint etienne".
    """
    letters = town.lower()
    if not letters.isascii():
        letters = unicodedata.normalize("NFKD", letters.replace("œ", "oe").replace("æ", "ae"))
        letters = "".join(c for c in letters if not unicodedata.combining(c))
    return " ".join(_KEY_WORDS.get(word, word) for word in _WORD.findall(letters))
