"""The beginner's view: approximations are hidden until a switch or a link asks for them."""

from tests.pages.conftest import charts, fine, opened, texts, url

APPROXIMATIONS = {"C_hh, sd", "C_hh, sd+wd", "C_hh, sd+wd+li"}


def pills(at):
    (group,) = (g for g in at.button_group if g.label == "Covariances")
    return {option.content for option in group.proto.options}


def switch(at):
    return next(t for t in at.toggle if t.label.startswith("With the approximations"))


def test_one_switch_shows_the_approximations_on_every_page(run):
    at = opened("pages/power_law.py")
    assert not pills(at) & APPROXIMATIONS
    assert "C_AWD" in pills(at)
    fine(switch(at).set_value(True).run())
    assert pills(at) >= APPROXIMATIONS
    assert url(at)["approximations"] == "yes"
    at.switch_page("pages/dynamics.py").run()
    assert "approximations" in charts(fine(at))
    fine(switch(at).set_value(False).run())
    assert "approximations" not in charts(at)


def test_a_link_that_names_one_shows_it(run):
    at = opened("pages/power_law.py", matrices="C,C_hh_sd_wd")
    assert switch(at).value
    assert pills(at) >= APPROXIMATIONS
    assert "C_{hh}^{sd+wd}" in texts(at)


def test_a_link_without_them_shows_none(run):
    at = opened("pages/power_law.py", matrices="C,C_hh_sd_wd", approximations="no")
    assert "C_{hh}^{sd+wd}" not in texts(at)
