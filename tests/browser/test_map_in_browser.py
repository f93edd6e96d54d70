"""The map's dots answer a click: what AppTest cannot see, since it has no charts."""

import pytest

PATIENCE = 60_000  # milliseconds
# Where the k-th dot of the first chart lies on the screen, and which test image it is.
DOT = """k => {
    const chart = document.querySelector(".js-plotly-plot"), box = chart.getBoundingClientRect();
    const { xaxis, yaxis } = chart._fullLayout, dots = chart._fullData[0];
    return [box.x + xaxis._offset + xaxis.l2p(dots.x[k]), box.y + yaxis._offset + yaxis.l2p(dots.y[k]),
            dots.customdata[k]];
}"""
# The dot with the most room around it: in a crowd a click may rightly meet a neighbour.
LONELIEST = """() => {
    const { x, y } = document.querySelector(".js-plotly-plot")._fullData[0];
    const room = k => Math.min(...Array.from(x, (_, i) => (i === k ? Infinity : Math.hypot(x[i] - x[k], y[i] - y[k]))));
    return Array.from(x.slice(0, 300).keys()).reduce((best, k) => (room(k) > room(best) ? k : best));
}"""
# Both charts ring the code of this image.
MARKED = """image => {
    const charts = [...document.querySelectorAll(".js-plotly-plot")];
    return charts.length === 2 && charts.every(chart => {
        const [dots, ring] = ["codes", "picked"].map(name => (chart._fullData ?? []).find(t => t.name === name));
        const k = dots ? Array.from(dots.customdata).indexOf(image) : -1;
        return k >= 0 && dots.x[k] === ring.x[0] && dots.y[k] === ring.y[0];
    });
}"""
CHARTS = "document.querySelectorAll('.js-plotly-plot .gl-canvas').length >= 2"


@pytest.fixture
def tab(server, window):
    tab = window(1280, 900).new_page()
    tab.goto(f"{server}/Map", timeout=PATIENCE)
    tab.wait_for_function(CHARTS, timeout=PATIENCE)
    yield tab
    tab.close()


def test_a_click_on_a_dot_picks_its_image(tab):
    """A click that marks another digit, or none, makes the map a picture and no instrument."""
    assert tab.locator("text=WebGL is not supported").count() == 0
    x, y, image = tab.evaluate(DOT, tab.evaluate(LONELIEST))
    assert image != 0
    tab.mouse.move(x, y)
    tab.wait_for_selector(f".hoverlayer :text('test image {image}')", timeout=PATIENCE)
    tab.mouse.click(x, y)
    tab.wait_for_url(f"**/Map?image={image}", timeout=PATIENCE)
    assert tab.get_by_label("Test image", exact=False).first.input_value() == str(image)
    # Both charts come again, each with the ring around this image's code.
    tab.wait_for_function(MARKED, arg=image, timeout=PATIENCE)
