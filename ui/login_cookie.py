"""The cookie of a log-in: signed here, written by an answer of our own, so that no script of the page can read it.

Without "stay logged in" it has no date, and the browser forgets it when it is closed.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil

import jwt
import streamlit as st
from starlette.responses import Response

from ui.callback_marks import view_only

COOKIE = "carburoam_login"
COOKIE_PATH = "/session-cookie"
MAX_BODY_BYTES = 2048  # several times what a cookie needs

_SESSION_ID = re.compile("[0-9a-f]{64}")

# A press of a link right after logging in must not lose the cookie: the request goes on (`keepalive`).
_JS = """
export default function (component) {
  const { data, setStateValue } = component
  const write = (seconds) =>
    fetch(data.path, {
      method: "POST",
      keepalive: true,
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token: data.token }),
    })
      .then((answer) => { if (answer.status === 429 || answer.status > 499) throw new Error(answer.status) })
      .then(() => setStateValue("written", true))
      .catch(() => { if (!isGone) timer = setTimeout(() => write(Math.min(60, 2 * seconds)), 1000 * seconds) })
  let timer = null, isGone = false  // an older cookie is never written after a newer one
  write(1)
  return () => { isGone = true; clearTimeout(timer) }
}
"""

_writer = st.components.v2.component("session_cookie", js=_JS)


@dataclass(frozen=True)
class Claims:
    """What the cookie says: whose session, until when, and whether the browser keeps it when it is closed."""

    session_id: str
    expires_at: datetime
    is_lasting: bool


def sign_claims(key: bytes, claims: Claims) -> str:
    """Return the value of the cookie, as streamlit-authenticator reads it."""
    payload = {
        "username": claims.session_id,
        "exp_date": claims.expires_at.timestamp(),
        "is_lasting": claims.is_lasting,
    }
    return jwt.encode(payload, key, algorithm="HS256")


def read_claims(key: bytes, token: str | None) -> Claims | None:
    """Return what the cookie of a log-in says, if the cookie is ours and not over."""
    if not token:
        return None
    try:
        payload = jwt.decode(token, key, algorithms=["HS256"])
    except (jwt.PyJWTError, ValueError):  # the latter for a text that can't be encoded
        return None
    session_id, expires_at = payload.get("username"), payload.get("exp_date")
    if not isinstance(session_id, str) or not _SESSION_ID.fullmatch(session_id):
        return None
    if not isinstance(expires_at, int | float) or expires_at <= datetime.now(UTC).timestamp():
        return None
    return Claims(session_id, datetime.fromtimestamp(expires_at, UTC), payload.get("is_lasting") is True)


def draw_writer(token: str, key: str) -> bool:
    """Let the browser ask for the cookie, or with "" for its end; return whether it has it."""
    if (state := st.session_state.get(key)) is not None and state.get("written"):
        return True
    _writer(key=key, data={"path": COOKIE_PATH, "token": token}, on_written_change=_take_note, height=1)
    return False


def answer_cookie(key: bytes, headers: dict[str, str], body: bytes) -> Response:
    """Answer a page of ours that asks for the cookie of the log-in that it was told; names of headers in small letters.

    A page of another site can't ask: browsers send it no JSON without leave of this one, which nobody gives.
    """
    answer = Response(status_code=204, headers={"Cache-Control": "no-store"})
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return Response(status_code=403)
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return Response(status_code=415)
    try:
        token = json.loads(body)["token"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return Response(status_code=400)
    # Not what the connection says: a proxy may take the encryption off.
    is_secure = headers.get("origin", "").startswith("https://")
    if token == "":
        answer.delete_cookie(COOKIE, secure=is_secure, httponly=True, samesite="strict")
        return answer
    claims = read_claims(key, token) if isinstance(token, str) else None
    if claims is None:
        return Response(status_code=400)
    left = ceil((claims.expires_at - datetime.now(UTC)).total_seconds())
    answer.set_cookie(
        COOKIE,
        str(token),
        max_age=left if claims.is_lasting else None,
        secure=is_secure,
        httponly=True,
        samesite="strict",
    )
    return answer


@view_only
def _take_note() -> None:
    """Nothing: `draw_writer` looks at the state of the component."""
