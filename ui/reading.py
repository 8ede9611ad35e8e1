"""What pages read from and write to: the settings, the engine and the starter of the background process."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock

import streamlit as st
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from db import READ_SECONDS, begin_writing, open_engine, prepare_database
from errors import DatabaseBusy, NotSaved
from mail import Mailer
from prices.figures import NationalFigures
from prices.medians import NearbyMedians
from scheduler import Starter
from settings import Settings, read_settings
from shares import CLIENT
from ui.visitor import get_client

logger = logging.getLogger("carburoam.pages")

_is_refusing: ContextVar[bool] = ContextVar("is_refusing", default=False)


@st.cache_resource(show_spinner=False)
def get_settings() -> Settings:
    """Return the settings this app was started with."""
    settings = read_settings()
    settings.make_state_dir()
    return settings


class EngineOpening:
    """Opens the engine of the database and prepares that once; threads may share it.

    Who came while an attempt was under way shares its failure: one after the other, each would wait for a database
    that doesn't answer.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._engine: Engine | None = None
        self._failure: Exception | None = None
        self._failed_at = 0.0

    def open(self) -> Engine:
        """Return the engine. Raises what keeps the database from being used."""
        came_at = time.monotonic()
        if self._engine is not None:
            return self._engine
        with self._lock:
            if self._engine is None:
                if self._failure is not None and self._failed_at >= came_at:
                    raise self._failure
                try:
                    self._engine = self._prepare()
                except Exception as error:
                    self._failure, self._failed_at = error.with_traceback(None), time.monotonic()
                    raise
            return self._engine

    def close(self) -> None:
        """Close the connections."""
        if self._engine is not None:
            self._engine.dispose()

    def _prepare(self) -> Engine:
        engine = open_engine(get_settings().database, read_seconds=READ_SECONDS)
        try:
            prepare_database(engine)
        except Exception:
            engine.dispose()
            raise
        return engine


@st.cache_resource(show_spinner=False, on_release=EngineOpening.close)
def _get_opening() -> EngineOpening:
    return EngineOpening()


def get_engine() -> Engine:
    """Return the engine of the database, which is created and upgraded when first asked for."""
    return _get_opening().open()


@st.cache_resource(show_spinner=False)
def get_starter() -> Starter:
    """Return the one starter of the background process of this app."""
    return Starter()


@st.cache_resource(show_spinner=False, on_release=Mailer.stop)
def get_mailer() -> Mailer:
    """Return the one worker of this app that sends mails."""
    return Mailer(get_engine(), get_settings())


@st.cache_resource(show_spinner=False)
def get_medians() -> NearbyMedians:
    """Return the medians around stations, which are worked out once a load."""
    return NearbyMedians()


@st.cache_resource(show_spinner=False)
def get_national_figures() -> NationalFigures:
    """Return the national figures that this process keeps."""
    return NationalFigures()


@contextmanager
def begin_change() -> Iterator[Connection]:
    """Open a transaction that will write; to be used as a context manager.

    Raises NotSaved: as `saving`.
    """
    with saving(), begin_writing(get_engine()) as connection:
        yield connection


@contextmanager
def saving() -> Iterator[None]:
    """Let the block change what the database keeps, for this tab; the cause of a failure is in the log.

    Raises NotSaved: the database could not do it; what of it was in a transaction is undone.
    """
    if _is_refusing.get():
        raise NotSaved
    before = CLIENT.set(get_client(get_settings()))
    try:
        yield
    except DatabaseBusy as error:
        logger.log(logging.WARNING, "change status=busy reason=%r", str(error))
        raise NotSaved from error
    except SQLAlchemyError as error:
        logger.log(logging.ERROR, "change status=failed error=%r", describe_database_error(error))
        raise NotSaved from error
    finally:
        CLIENT.reset(before)


@contextmanager
def refuse_changes() -> Iterator[None]:
    """Let nothing be changed within the block: `saving` raises NotSaved at once."""
    token = _is_refusing.set(True)
    try:
        yield
    finally:
        _is_refusing.reset(token)


def open_reading() -> Connection:
    """Open a connection to read with, in one transaction; to be used as a context manager."""
    return get_engine().connect()


def describe_database_error(error: SQLAlchemyError) -> str:
    """Return what the database says of itself; of other errors the kind alone, since they may quote what was typed."""
    cause = getattr(error, "orig", None) or error
    if isinstance(error, OperationalError):
        return str(cause).partition("\n")[0]
    return type(cause).__name__
