"""What pages read from: the settings, the engine and the starter of the background process, once a process."""

from __future__ import annotations

import streamlit as st
from sqlalchemy import Connection, Engine

from db import open_engine, prepare_database
from scheduler import Starter
from settings import Settings, read_settings


@st.cache_resource(show_spinner=False)
def get_settings() -> Settings:
    """Return the settings this app was started with."""
    settings = read_settings()
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    return settings


@st.cache_resource(show_spinner=False)
def get_engine() -> Engine:
    """Return the engine of the database, which is created and upgraded when first asked for."""
    engine = open_engine(get_settings().database)
    prepare_database(engine)
    return engine


@st.cache_resource(show_spinner=False)
def get_starter() -> Starter:
    """Return the one starter of the background process of this app."""
    return Starter()


def open_reading() -> Connection:
    """Open a connection to read with, in one transaction; to be used as a context manager."""
    return get_engine().connect()
