"""Behind a proxy and below a prefix of the address, as on JupyterHub."""

import pytest

from cache.store import Store
from tests.browser.conftest import Dashboard, whole
from tests.browser.proxy import PREFIX, Proxy
from tests.planted import fill

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def below(tmp_path_factory):
    """A dashboard whose address begins with a prefix."""
    store = Store(tmp_path_factory.mktemp("below"))
    fill(store)
    dashboard = Dashboard(store.root, prefix=PREFIX).start()
    yield dashboard
    dashboard.stop()


@pytest.fixture(params=["keeps the prefix", "strips the prefix"])
def behind(request, below, planted):
    """A proxy before a dashboard that knows its prefix, or before one that does not."""
    strip = request.param == "strips the prefix"
    proxy = Proxy((planted if strip else below).url, strip)
    yield proxy
    proxy.stop()


def test_behind_a_proxy_pages_figures_and_links_work_and_nothing_is_asked_for_elsewhere(behind, window):
    page, asked = window("about:blank"), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{behind.url}/power_law?window=50")
    page.locator(".gammascope-plot[data-painted]").first.wait_for()
    assert page.get_by_role("heading", level=1).inner_text().startswith("By which power")
    page.locator("[data-testid=stSidebar] a", has_text="Dynamics").click()
    page.wait_for_url(f"{behind.url}/dynamics**")
    page.locator(".gammascope-plot[data-painted]").first.wait_for()
    page.reload()
    page.locator(".gammascope-plot[data-painted]").first.wait_for()
    assert behind.strangers == []
    assert [url for url in asked if url.startswith("http") and not url.startswith(behind.url)] == []


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
