"""What a driver can change: name, username, address, password, language, fuels, and the figures of the vehicle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, select, update
from sqlalchemy.exc import IntegrityError

from accounts.addresses import is_known_address, remember_address
from accounts.codes import end_codes, forget_code, issue_code, spend_code
from accounts.identity import make_key, read_email, read_name, read_username
from accounts.limits import (
    OF_PAIR,
    OF_STRANGER,
    count_failure,
    forget_failures,
    hash_subject,
    list_pairs,
    require_no_pause,
    take_back,
    take_turn,
    widen,
)
from accounts.mail_limits import take_driver_change, take_driver_mail
from accounts.messages import Person, queue_message
from accounts.passwords import check_password, hash_password, require_password
from accounts.recovery import set_password
from accounts.registration import HAS_CONFIRMED_EMAIL, find_owner, forget_unconfirmed, set_fuels
from accounts.sessions import close_sessions
from db import begin_writing
from errors import (
    AccountError,
    CodeExpired,
    DriverUnknown,
    EmailTaken,
    FigureRefused,
    PasswordWrong,
    TooManyAtOnce,
    UsernameTaken,
)
from models import Credential, FollowedGasType, User, VerificationCode, sort_fuels
from settings import Settings
from translations import LANGUAGES

# What vehicles that fill up at these stations have; a lorry drives 150,000 km a year and holds 1,500 litres.
FIGURES: Mapping[str, tuple[float, float]] = {
    "litres_per_100km": (1.0, 60.0),
    "km_per_year": (1, 300_000),
    "tank_litres": (5, 2_000),
}


@dataclass(frozen=True)
class Profile:
    """What a driver has told of themselves; the figures of the vehicle are None where they gave none."""

    id: int
    username: str
    email: str
    name: str
    language: str
    fuels: tuple[int, ...]
    litres_per_100km: float | None
    km_per_year: int | None
    tank_litres: int | None
    has_confirmed_email: bool

    @property
    def person(self) -> Person | None:
        """What mails may call the driver; None until a mail has confirmed the address."""
        return Person(self.name, self.username) if self.has_confirmed_email else None


def get_profile(connection: Connection, user_id: int) -> Profile:
    """Return the profile of a driver. Raises DriverUnknown."""
    row = connection.execute(
        select(User.__table__, HAS_CONFIRMED_EMAIL)
        .join(Credential, Credential.user_id == User.id)
        .where(User.id == user_id)
    ).first()
    if row is None:
        raise DriverUnknown
    fuels = connection.scalars(select(FollowedGasType.gastype_id).where(FollowedGasType.user_id == user_id))
    return Profile(
        row.id,
        row.username,
        row.email,
        row.name,
        row.language,
        sort_fuels(fuels),
        row.litres_per_100km,
        row.km_per_year,
        row.tank_litres,
        bool(row.has_confirmed_email),
    )


def change_name(connection: Connection, user_id: int, name: str) -> None:
    """Change what the driver is called. Raises NameRefused. Raises DriverUnknown, as every change here may."""
    _set(connection, user_id, name=read_name(name))


def change_username(engine: Engine, user_id: int, username: str) -> None:
    """Change the username.

    Raises UsernameRefused: not of the form of one. Raises UsernameTaken: another driver has it.
    """
    shown = read_username(username)
    try:
        with begin_writing(engine) as connection:
            forget_unconfirmed(connection, make_key(shown))
            _set(connection, user_id, username=shown, username_key=make_key(shown))
    except IntegrityError:
        raise UsernameTaken from None


def change_language(connection: Connection, user_id: int, language: str) -> None:
    """Change the language of pages and mails, to one that there is."""
    if language in LANGUAGES:
        _set(connection, user_id, language=language)


def change_fuels(connection: Connection, user_id: int, fuels: tuple[int, ...]) -> None:
    """Follow these fuels and no others; unknown ones are left out."""
    # Locked where a database has such locks, so that no tab of the driver changes or deletes it in between.
    if connection.execute(select(User.id).where(User.id == user_id).with_for_update()).first() is None:
        raise DriverUnknown
    set_fuels(connection, user_id, sort_fuels(fuels))


def change_vehicle(connection: Connection, user_id: int, **figures: float | None) -> None:
    """Change the figures of the vehicle that are named (those of `FIGURES`); None for one that is not told.

    Raises FigureRefused: a figure that no vehicle has; the text is its name.
    """
    for name, value in figures.items():
        lowest, highest = FIGURES[name]
        if value is not None and not lowest <= value <= highest:
            raise FigureRefused(name, lowest, highest)
    _set(connection, user_id, **{name: round_figure(name, value) for name, value in figures.items()})


def round_figure(name: str, value: float | None) -> float | None:
    """Return a figure of the vehicle as exactly as it is shown: litres per 100 km to a tenth."""
    return round(value, 1) if name == "litres_per_100km" and value is not None else value


def find_new_email(connection: Connection, user_id: int) -> str | None:
    """Return the address that waits for its code, to become the driver's; None when none does."""
    own = (VerificationCode.user_id == user_id, VerificationCode.purpose == "email")
    return connection.execute(select(VerificationCode.payload).where(*own)).scalar()


def change_password(
    engine: Engine,
    settings: Settings,
    secret_key: bytes,
    user_id: int,
    old: str,
    new: str,
    *,
    session_id: str,
    address: str | None = None,
    now: datetime,
) -> None:
    """Change the password; every browser but the one with `session_id` is logged out, and the driver told by mail.

    `address` is that browser's, which the account goes on to know; None when it isn't known.

    Raises PasswordWrong or TooManyTries: as `require_own_password`; the latter also for too many changes.
    Raises PasswordRefused: as `require_password`.
    """
    with engine.connect() as connection:
        profile = get_profile(connection, user_id)
    old_hash = require_own_password(engine, secret_key, user_id, old, now, address=address)
    require_password(new, profile.username)
    password_hash = hash_password(new, widen(address) if address else None, is_known=True)
    with begin_writing(engine) as connection:
        profile = get_profile(connection, user_id)
        require_same_password(connection, user_id, old_hash)
        take_driver_change(connection, secret_key, user_id, now)
        set_password(connection, user_id, password_hash)
        if address:
            remember_address(connection, secret_key, user_id, address, now)
        close_sessions(connection, user_id, but=session_id)
        queue_message(
            connection,
            settings,
            "password_changed",
            recipient=profile.email,
            language=profile.language,
            now=now,
            person=profile.person,
        )


def ask_new_email(
    engine: Engine,
    settings: Settings,
    secret_key: bytes,
    user_id: int,
    email: str,
    password: str,
    *,
    address: str | None,
    now: datetime,
) -> None:
    """Mail a code to the new address, with which it becomes the account's; without a mail server it does at once.

    Whoever gets hold of the address gets hold of the account: so it asks the password. Whether another account has the
    address is not said, but where no mail can be sent: its driver is told, at the address that is stored. `address` is
    the browser's, None when it isn't known.

    Raises EmailRefused: no address. Raises EmailTaken: see above, or it is the driver's own.
    Raises PasswordWrong or TooManyTries: as `require_own_password`; the latter also for too many mails.
    """
    new_email = read_email(email)
    with engine.connect() as connection:
        if make_key(get_profile(connection, user_id).email) == make_key(new_email):
            raise EmailTaken
    password_hash = require_own_password(engine, secret_key, user_id, password, now, address=address)
    with begin_writing(engine) as connection:
        require_same_password(connection, user_id, password_hash)
        take_driver_mail(connection, secret_key, user_id, new_email, address, now)  # whatever comes of it
    with begin_writing(engine) as connection:
        require_same_password(connection, user_id, password_hash)
        profile = get_profile(connection, user_id)
        if not settings.can_mail:
            _replace_email(connection, settings, profile, new_email, now, is_confirmed=False)
            return
        owner = find_owner(connection, new_email)
        code = issue_code(connection, secret_key, user_id, "email", now, payload=new_email)
        if owner is None or owner.confirmed_at is None:  # who waits for a code has no address yet
            queue_message(
                connection,
                settings,
                "email",
                recipient=new_email,
                language=profile.language,
                now=now,
                person=None,
                code=code,
                user_id=user_id,
            )
        else:
            queue_message(
                connection,
                settings,
                "known",
                recipient=owner.email,
                language=owner.language,
                now=now,
                person=Person(owner.name, owner.username) if owner.has_confirmed_email else None,
            )


def confirm_new_email(
    engine: Engine, settings: Settings, secret_key: bytes, user_id: int, code: str, now: datetime
) -> None:
    """Make the new address the account's, by the code that was mailed to it; the old one is told.

    Raises CodeMalformed: what was typed is no code.
    Raises CodeWrong or CodeExpired: also when another account got the address meanwhile.
    """
    error: AccountError | None
    with begin_writing(engine) as connection:
        new_email, error = spend_code(connection, secret_key, user_id, "email", code, now)
        if error is None:
            profile = get_profile(connection, user_id)
            try:
                _replace_email(connection, settings, profile, new_email, now, is_confirmed=True)
            except EmailTaken:
                error = CodeExpired()
    if error is not None:
        raise error


def call_off_new_email(connection: Connection, user_id: int) -> None:
    """Let the address be as it is: the code that was mailed to another is no longer good."""
    forget_code(connection, user_id, "email")


def require_own_password(
    engine: Engine, secret_key: bytes, user_id: int, password: str, now: datetime, *, address: str | None = None
) -> str:
    """Let a driver do what asks for the password again; return its hash, which may have changed since.

    `address` is the browser's, None when it isn't known.

    Raises PasswordWrong: it is another.
    Raises TooManyTries: a pause after failures at this address is not over, or there were too many today where the
    driver is not known: whoever sits at a session left open, or has stolen one, must not guess on. Or more is asked for
    than can be checked (TooManyAtOnce).
    """
    own, *stranger = list_pairs(secret_key, str(user_id), address, "own_pair")
    total: list[str] = []
    with begin_writing(engine) as connection:
        if address is None or is_known_address(connection, secret_key, user_id, address, now):
            counted = {own: OF_PAIR}
        else:
            counted = dict.fromkeys(stranger, OF_STRANGER)
            total = [hash_subject(secret_key, "own", str(user_id))]
        require_no_pause(connection, counted, now)
        if total:
            take_turn(connection, secret_key, "own", str(user_id), now)
        count_failure(connection, counted, now)
        password_hash = connection.execute(
            select(Credential.password_hash).where(Credential.user_id == user_id)
        ).scalar()
    try:
        is_right = check_password(password, password_hash, widen(address) if address else None, is_known=True)
    except TooManyAtOnce:
        with begin_writing(engine) as connection:
            take_back(connection, [*counted, *total], now)
        raise
    if not is_right or password_hash is None:
        raise PasswordWrong
    with begin_writing(engine) as connection:
        forget_failures(connection, counted)
        take_back(connection, total, now)
    return password_hash


def require_same_password(connection: Connection, user_id: int, password_hash: str) -> None:
    """See that the password that was typed is still the account's. Raises PasswordWrong."""
    current = connection.execute(select(Credential.password_hash).where(Credential.user_id == user_id)).scalar()
    if current != password_hash:
        raise PasswordWrong


def _replace_email(
    connection: Connection, settings: Settings, profile: Profile, email: str, now: datetime, *, is_confirmed: bool
) -> None:
    """Store another address, tell the old one, and end what was proved by it.

    Raises EmailTaken: another account has it, one that waits for its code not counted; nothing is written then.
    """
    forget_unconfirmed(connection, email_key=make_key(email))
    if find_owner(connection, email) is not None:
        raise EmailTaken
    confirmed_at = now if is_confirmed else select(User.created_at).where(User.id == profile.id).scalar_subquery()
    _set(connection, profile.id, email=email, email_key=make_key(email))
    connection.execute(update(Credential).where(Credential.user_id == profile.id).values(confirmed_at=confirmed_at))
    end_codes(connection, profile.id)
    queue_message(
        connection,
        settings,
        "email_changed",
        recipient=profile.email,
        language=profile.language,
        now=now,
        person=profile.person,
    )


def _set(connection: Connection, user_id: int, **values: object) -> None:
    if connection.execute(update(User).where(User.id == user_id).values(**values)).rowcount == 0:
        raise DriverUnknown
