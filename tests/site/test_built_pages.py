"""The built site as a browser shows it: pictures, widths, light and dark.

``make site`` builds it and runs this.
"""

import functools
import http.server
import json
import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "docs" / "_build" / "html"
LOOK = Path(__file__).with_name("look.html")
BROWSERS = (
    *("chromium-headless-shell", "chromium", "chromium-browser"),
    *("google-chrome", "chrome"),
)
# A laptop's window and a telephone's.
WIDTHS, THEMES = (1280, 390), ("light", "dark")
# WCAG 2.2, level AA, of text.
CONTRAST = 4.5
# Lists of everything, and a page that fills itself.
NO_PAGES = {"genindex.html", "py-modindex.html", "search.html"}

pytestmark = pytest.mark.site


class Pages(http.server.SimpleHTTPRequestHandler):
    """Serves the site, what to do with it, and takes what was found."""

    def do_GET(self):
        if self.path == "/look":
            self.answer(LOOK.read_bytes(), "text/html")
        elif self.path == "/task":
            self.answer(json.dumps(self.server.task).encode(), "application/json")
        else:
            super().do_GET()

    def do_POST(self):
        told = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.told = json.loads(told)
        self.answer(b"", "text/plain")
        self.server.done.set()

    def answer(self, content, kind):
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *what):
        pass


def browser():
    """Return the command that starts a browser, or skip."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no Chromium: apt-get install chromium-headless-shell")
    return [found, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]


def looked_at(folder, profile):
    """Return what a browser finds wrong with the pages of a folder, by page."""
    command = browser()
    pages = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.html"))
    pages = [p for p in pages if p not in NO_PAGES and not p.startswith("_")]
    handler = functools.partial(Pages, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.task = {
            "pages": [f"/{page}" for page in pages],
            **{"widths": WIDTHS, "themes": THEMES, "contrast": CONTRAST},
        }
        server.done, server.told = threading.Event(), None
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/look"
        looking = subprocess.Popen(
            [*command, f"--user-data-dir={profile}", "--remote-debugging-port=0"]
            + ["--window-size=1400,1000", address],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            assert server.done.wait(600), "the browser told nothing"
        finally:
            os.killpg(looking.pid, signal.SIGTERM)  # Debian's command is a script
            looking.wait()
            server.shutdown()
    assert set(server.told) == {f"/{page}" for page in pages}, server.told
    return server.told


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What a browser found wrong with the site."""
    if not (BUILT / "index.html").exists():
        pytest.skip("no built pages: make docs")
    return looked_at(BUILT, tmp_path_factory.mktemp("browser"))


def found(told, what):
    return {
        page: problems
        for page, all_of_them in told.items()
        if (problems := [p for p in all_of_them if what in p])
    }


def test_pictures_are_there(told):
    assert found(told, "no picture") == {}


def test_nothing_is_wider_than_its_page(told):
    assert found(told, "overflows") | found(told, " wide in ") == {}


@pytest.mark.parametrize("theme", THEMES)
def test_text_can_be_read(told, theme):
    assert found(told, f", {theme}: contrast") == {}


def test_what_is_wrong_is_seen(tmp_path):
    page = """<!doctype html><meta name=viewport content="width=device-width"><style>
        html[data-theme=dark] { background: #111 }
        html[data-theme=dark] p { color: #222 }
        div { overflow: auto; width: 200px } pre { overflow: auto }</style><article>
        <p>Black on black in the dark.</p><img src=none.png><pre>%s</pre>%s</article>"""
    long = "<b>wide</b>" * 100
    pages = {
        "dark": (long, ""),
        "wide": ("", f"<p>{long}</p>"),
        "hidden": ("", f"<div><p>{long}</p></div>"),
    }
    (tmp_path / "site").mkdir()
    for name, parts in pages.items():
        (tmp_path / "site" / f"{name}.html").write_text(page % parts)
    told = looked_at(tmp_path / "site", tmp_path / "browser")
    assert len(found(told, "no picture: none.png")) == 3
    assert set(found(told, ", dark: contrast")) == {f"/{name}.html" for name in pages}
    assert found(told, ", light: contrast") == {}
    assert set(found(told, " wide in a window")) == {"/wide.html"}
    assert set(found(told, "overflows inside")) == {"/hidden.html"}
