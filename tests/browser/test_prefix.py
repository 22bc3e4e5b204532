"""Below a prefix of the address, as behind JupyterHub or a proxy."""

import pytest

from cache.store import Store
from tests.browser.conftest import Dashboard, whole
from tests.planted import fill

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def below(tmp_path_factory):
    """A dashboard whose address begins with a prefix."""
    store = Store(tmp_path_factory.mktemp("below"))
    fill(store)
    dashboard = Dashboard(store.root, prefix="/user/ann/proxy").start()
    yield dashboard
    dashboard.stop()


def test_figures_and_the_menu_work_and_nothing_is_asked_for_elsewhere(below, window):
    page = window("about:blank")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{below.url}/power_law")
    page.locator(".gammascope-plot[data-painted]").first.wait_for()
    page.locator("[data-testid=stSidebar] a", has_text="Dynamics").click()
    page.wait_for_url(f"{below.url}/dynamics**")
    page.locator(".gammascope-plot[data-painted]").first.wait_for()
    assert [url for url in asked if url.startswith("http") and not url.startswith(below.url)] == []


@pytest.mark.slow
def test_a_figure_without_its_library_says_so_and_is_drawn_once_there_is_one(below, window):
    page = window("about:blank")
    page.route("**/plotly.min.js*", lambda route: route.abort())
    page.goto(f"{below.url}/power_law")
    figure = page.locator(".gammascope-plot").first
    figure.get_by_text("This figure cannot be drawn").wait_for()
    page.unroute("**/plotly.min.js*")
    page.reload()
    page.locator(".gammascope-plot[data-painted]").first.wait_for()
    whole(page)
    assert not page.get_by_text("This figure cannot be drawn").count()
