"""The real application while the key that signs cookies can't be read or made, as on a full disk, and after."""

from __future__ import annotations

from pathlib import Path

import requests
from loaded_server import read_log, run_loaded_server
from socket_client import make_address, open_tab

TITLES = {
    "en": "This page can't be shown right now",
    "fr": "Cette page ne peut pas être affichée en ce moment",
}


def test_without_its_key_a_page_says_so_in_a_sentence_and_works_when_it_is_there(tmp_path: Path) -> None:
    blocked = tmp_path / "secret.key"
    blocked.mkdir()
    with run_loaded_server(tmp_path) as server:

        def post_cookie() -> int:
            headers = {"X-Forwarded-For": make_address()}
            return requests.post(
                f"{server.url}/session-cookie", json={"token": ""}, headers=headers, timeout=60
            ).status_code

        for language, title in TITLES.items():
            with open_tab(server.url) as tab:
                drawn = tab.run(tab.make_rerun(locale=language))
                assert [one.alert.title for one in drawn if one.HasField("alert")] == [title]
                assert "Errno" not in str(drawn)
        assert post_cookie() == 503
        assert 'carburoam.pages page status=failed error="[Errno 21] Is a directory' in read_log(server)
        assert "Traceback" not in read_log(server)
        blocked.rmdir()
        with open_tab(server.url) as tab:
            assert not [one for one in tab.run(tab.make_rerun()) if one.HasField("alert")]
        assert post_cookie() == 204
