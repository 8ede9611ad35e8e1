"""What pages read from: the settings, the engine and the starter of the background process, once a process."""

from __future__ import annotations

from contextlib import AbstractContextManager

import streamlit as st
from sqlalchemy import Connection, Engine

from db import begin_writing, open_engine, prepare_database
from mail import Mailer
from prices.medians import NearbyMedians
from scheduler import Starter
from settings import Settings, read_settings


@st.cache_resource(show_spinner=False)
def get_settings() -> Settings:
    """Return the settings this app was started with."""
    settings = read_settings()
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    return settings


@st.cache_resource(show_spinner=False, on_release=Engine.dispose)
def get_engine() -> Engine:
    """Return the engine of the database, which is created and upgraded when first asked for."""
    engine = open_engine(get_settings().database)
    prepare_database(engine)
    return engine


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


def begin_change() -> AbstractContextManager[Connection]:
    """Open a transaction that will write; to be used as a context manager."""
    return begin_writing(get_engine())


def open_reading() -> Connection:
    """Open a connection to read with, in one transaction; to be used as a context manager."""
    return get_engine().connect()
