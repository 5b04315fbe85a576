"""The player's page: its controls, keys and layout, what it remembers, and its pictures."""

import shutil

import pytest

from tests.support import player

SECONDS = 12
WIDTHS = """() => [...document.querySelectorAll(".track:not([hidden]) canvas")].map((canvas) => canvas.width)"""
# The share of the pixels of each picture on which something is drawn.
DRAWN = """() => [...document.querySelectorAll(".track:not([hidden]) canvas")].map((canvas) => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, i) => i % 4 === 3 && value).length / (canvas.width * canvas.height);
})"""
# The colours of each stem's picture and of its button, one after another
COLOURS = """() => [...document.querySelectorAll(".track:not([hidden])")].flatMap((track) => [
  getComputedStyle(track.querySelector(".picture")).color,
  getComputedStyle(track.querySelector(".button")).backgroundColor,
])"""

NB_FRAMES = 30
# How many frames the page asks for while NB_FRAMES are drawn
REQUESTED = """async (nbFrames) => {
  const request = window.requestAnimationFrame;
  let requested = 0;
  window.requestAnimationFrame = (callback) => (requested++, request(callback));
  for (let frame = 0; frame < nbFrames; frame++) await new Promise((resolve) => request(resolve));
  window.requestAnimationFrame = request;
  return requested;
}"""


@pytest.fixture(scope="module")
def job(fake_engine_server, song) -> str:
    """A finished job of SECONDS with its pictures."""
    return player.finish(fake_engine_server.client(), song(SECONDS))


@pytest.fixture(scope="module")
def four_stems(fake_engine_server, song) -> str:
    return player.finish(fake_engine_server.client(), song(2.0), stems="4")


@pytest.fixture
def page(open_player, job):
    return open_player(job)


def part(page) -> str:
    return page.locator(".part").inner_text()


def blur(page) -> None:
    page.evaluate("document.activeElement.blur()")


def test_a_loop_is_dragged_and_its_ends_are_dragged(page):
    player.drag(page, 0, 0.25, 0.5)
    assert part(page) == "0:03.0 – 0:06.0"
    assert player.time_of(page) == 3
    assert player.is_pressed(page, "Loop")
    player.drag(page, 1, 0.5, 0.75)
    assert part(page) == "0:03.0 – 0:09.0"
    player.drag(page, 1, 0.25, 0.1)
    assert part(page) in ("0:01.2 – 0:09.0", "0:01.3 – 0:09.0")
    player.press(page, "Loop")
    assert not player.is_pressed(page, "Loop")
    player.press(page, "Loop")
    assert part(page).endswith("0:09.0")


def test_a_loop_is_dragged_by_finger(open_player, job):
    page = open_player(job, has_touch=True, is_mobile=True, viewport={"width": 360, "height": 740})
    box = page.locator(".picture:visible").first.bounding_box()
    touch = page.context.new_cdp_session(page)

    def send(kind: str, place: float | None) -> None:
        points = [] if place is None else [{"x": box["x"] + place * box["width"], "y": box["y"] + 20}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", 0.25)
    for place in (0.3, 0.4, 0.5):
        send("touchMove", place)
    send("touchEnd", None)
    player.wait_for_page(page, lambda: player.is_pressed(page, "Loop"), 10)
    assert part(page) in ("0:03.0 – 0:06.0", "0:03.0 – 0:05.9", "0:03.0 – 0:06.1")


def test_loop_from_and_to_here_by_keyboard(page):
    position = page.get_by_label("Position")
    position.focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Loop from here").press("Enter")
    position.focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Loop to here").press("Enter")
    assert part(page) == "0:05.0 – 0:10.0"
    blur(page)
    page.keyboard.press("l")
    assert not player.is_pressed(page, "Loop")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("]")
    assert part(page) == "0:00.0 – 0:10.0"


def test_a_loop_to_the_start_is_refused_with_a_message(page):
    player.press(page, "Loop to here")
    assert page.locator(".message").inner_text().startswith("A loop must have at least 0.1 s")
    player.drag(page, 0, 0.2, 0.4)
    assert page.locator(".message").inner_text() == ""


def test_the_time_under_the_pointer_is_shown(page):
    box = page.locator(".picture:visible").first.bounding_box()
    page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 10)
    assert page.locator(".picture:visible .pointer").first.inner_text() == "0:09.0"
    page.mouse.move(10, 10)
    assert page.locator(".picture:visible .pointer").first.inner_text() == ""


def test_zoom(page):
    before = page.evaluate(DRAWN)
    for _ in range(2):
        player.press(page, "Zoom in")
    player.click_picture(page, 0, 0.5)
    assert player.time_of(page) == pytest.approx(1.5, abs=0.1)
    player.wait_for_page(page, lambda: page.evaluate(DRAWN) != before)
    page.get_by_label("Scroll the waveforms").fill("6")
    player.click_picture(page, 0, 0.5)
    assert player.time_of(page) == pytest.approx(7.5, abs=0.1)
    blur(page)
    page.keyboard.press("-")
    page.keyboard.press("-")
    assert page.get_by_role("button", name="Zoom out").is_disabled()
    assert not page.get_by_label("Scroll the waveforms").is_visible()


def test_everything_is_there_again_when_the_page_is_opened_again(page):
    player.press(page, "Mute Vocals")
    player.slider(page, "Volume Music").fill("1.5")
    page.get_by_label("Tempo").fill("75")
    page.get_by_label("Pitch").fill("-2")
    player.drag(page, 0, 0.25, 0.5)
    player.press(page, "Spectrogram")
    page.wait_for_timeout(200)
    page.reload()
    page.locator(".player.open").wait_for()
    assert player.is_pressed(page, "Mute Vocals")
    assert player.slider(page, "Volume Music").input_value() == "1.5"
    assert page.get_by_label("Tempo").input_value() == "75"
    assert page.locator(".pitch-value").inner_text() == "−2"
    assert part(page) == "0:03.0 – 0:06.0"
    assert page.locator(".elapsed").inner_text() == "0:03.0"
    assert player.is_pressed(page, "Spectrogram")
    assert player.is_pressed(page, "Music only (karaoke)")
    player.press(page, "Reset")
    assert page.locator(".tempo-value").inner_text() == "100 %"


def test_space_plays_and_pauses_after_a_click_on_a_button(page):
    player.play(page)
    player.press(page, "Mute Vocals")
    page.keyboard.press(" ")
    page.get_by_role("button", name="Play", exact=True).wait_for()
    assert player.is_pressed(page, "Mute Vocals")
    page.get_by_role("button", name="Mute Vocals").focus()  # as Tab does: now Space presses the button
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press(" ")
    assert not player.is_pressed(page, "Mute Vocals")
    assert page.get_by_role("button", name="Play", exact=True).is_visible()


def test_m_and_s_act_on_the_track_that_was_last_used(page):
    page.keyboard.press("m")
    assert player.is_pressed(page, "Mute Vocals")
    player.slider(page, "Volume Music").fill("0.7")
    player.slider(page, "Volume Music").focus()
    blur(page)
    page.keyboard.press("s")
    assert player.is_pressed(page, "Solo Music")
    page.keyboard.press("1")
    assert not player.is_pressed(page, "Mute Vocals")
    page.keyboard.press("m")
    assert player.is_pressed(page, "Mute Vocals")
    page.keyboard.press("o")
    assert player.is_pressed(page, "Original")
    page.keyboard.press("o")
    assert player.is_pressed(page, "Stems")


def test_keys_with_modifiers_and_in_fields_are_left_alone(page):
    for key in ("Control+m", "Alt+m", "Meta+m", "Shift+m"):
        page.keyboard.press(key)
    assert not player.is_pressed(page, "Mute Vocals")
    page.evaluate("document.querySelector('main').append(document.createElement('textarea'))")
    page.locator("textarea").type("1 mso[]")
    assert page.locator("textarea").input_value() == "1 mso[]"
    assert not player.is_pressed(page, "Mute Vocals")
    player.slider(page, "Volume Music").focus()
    page.keyboard.press("ArrowLeft")
    assert player.slider(page, "Volume Music").input_value() == "0.99"
    assert player.time_of(page) == 0


def test_keyboard_shortcuts_can_be_switched_off(page):
    page.get_by_text("Keyboard shortcuts", exact=True).click()
    page.get_by_label("Enable keyboard shortcuts").uncheck()
    page.keyboard.press("1")
    assert not player.is_pressed(page, "Mute Vocals")
    page.reload()
    page.locator(".player.open").wait_for()
    assert not page.locator(".keys-on").is_checked()


def test_every_listed_key_does_something(open_player, four_stems):
    page = open_player(four_stems)
    page.get_by_text("Keyboard shortcuts", exact=True).click()
    listed = page.locator(".keys kbd").all_inner_texts()
    assert listed == ["Space", "←", "→", "O", "1", "2", "3", "4", "M", "S", "L", "[", "]", "+", "−"]
    names = {"Space": " ", "←": "ArrowLeft", "→": "ArrowRight", "−": "-"}
    state = "[document.querySelector('.player').outerHTML, document.querySelector('.seek').value].join()"
    for key in (*listed[1:-2], "+", "−"):
        page.get_by_label("Position").fill("1")
        before = page.evaluate(state)
        page.keyboard.press(names.get(key, key.lower()))
        assert page.evaluate(state) != before, key


def test_presets_of_four_stems(open_player, four_stems):
    page = open_player(four_stems)
    presets = page.locator(".preset").all_inner_texts()
    karaoke = "All but vocals (karaoke)"
    assert presets == ["All stems", "Vocals only", karaoke, "All but drums", "All but bass", "All but other"]
    player.press(page, "All but drums")
    muted = [player.is_pressed(page, f"Mute {name}") for name in ("Vocals", "Drums", "Bass", "Other")]
    assert muted == [False, True, False, False]
    assert player.is_pressed(page, "All but drums")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_stem_has_a_colour_of_its_own(open_player, four_stems, scheme):
    page = open_player(four_stems, color_scheme=scheme)
    colours = page.evaluate(COLOURS)
    assert colours[::2] == colours[1::2]
    assert len(set(colours)) == 4


@pytest.mark.parametrize("language", ["en", "uk"])
def test_four_stems_fit_a_laptop_and_two_fit_a_phone(open_player, job, four_stems, language):
    laptop = open_player(four_stems, viewport={"width": 1280, "height": 800}, locale=language)
    box = laptop.locator(".track:visible").last.bounding_box()
    assert box["y"] + box["height"] <= 800
    tempo = laptop.locator(".tempo").bounding_box()
    assert tempo["y"] + tempo["height"] <= 800
    phone = open_player(job, viewport={"width": 360, "height": 740}, locale=language)
    box = phone.locator(".track:visible").last.bounding_box()
    assert box["y"] + box["height"] <= 740
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360
    phone.evaluate("scrollTo(0, 400)")
    assert phone.locator(".play").bounding_box()["y"] >= 0  # it stays in view


def test_everything_can_be_reached_on_a_small_screen(open_player, job):
    page = open_player(job, viewport={"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    things = page.locator("main button:visible, main a:visible, main input:visible:not([type=checkbox]), summary").all()
    assert min(thing.bounding_box()["height"] for thing in things) >= 44
    assert min(thing.bounding_box()["width"] for thing in things) >= 44


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_waveforms_are_drawn_and_spectrograms_when_asked_for(open_player, job, scheme):
    page = open_player(job, color_scheme=scheme, viewport={"width": 900, "height": 700})
    player.wait_for_page(page, lambda: all(0.05 < share < 0.9 for share in page.evaluate(DRAWN)))
    player.press(page, "Spectrogram")
    player.wait_for_page(page, lambda: set(page.evaluate(DRAWN)) == {1})
    player.press(page, "Spectrogram")
    player.wait_for_page(page, lambda: max(page.evaluate(DRAWN)) < 0.9)
    page.set_viewport_size({"width": 320, "height": 640})
    player.wait_for_page(page, lambda: max(page.evaluate(WIDTHS)) < 320)
    player.wait_for_page(page, lambda: min(page.evaluate(DRAWN)) > 0.05)


def test_waveforms_have_a_placeholder_until_they_are_drawn(open_player, fake_engine_server, job, tmp_path):
    peaks = fake_engine_server.home / "downloads" / job / "vocals.peaks"
    shutil.move(peaks, tmp_path / "aside")
    page = open_player(job)
    player.wait_for_page(page, lambda: page.evaluate(DRAWN)[1] > 0)
    assert page.evaluate(DRAWN)[0] == 0
    assert page.locator(".picture.waiting:visible").count() == 1
    shutil.move(tmp_path / "aside", peaks)
    player.wait_for_page(page, lambda: page.evaluate(DRAWN)[0] > 0.05)
    assert page.locator(".picture.waiting:visible").count() == 0


def test_the_meter_shows_the_level(page):
    player.play(page)
    level = "getComputedStyle(document.querySelectorAll('.meter')[1]).getPropertyValue('--peak')"
    player.wait_for_page(page, lambda: float(page.evaluate(level) or 0) > 0.5)
    player.press(page, "Pause")
    player.wait_for_page(page, lambda: float(page.evaluate(level)) == 0)


def test_changes_during_playback_do_not_add_to_what_is_drawn(page):
    """Each change once began another sequence of frames, so that dragging a slider slowed the page down."""
    player.play(page)
    for semitones in range(1, 5):
        page.get_by_label("Pitch").fill(str(semitones))
        page.wait_for_timeout(150)
    assert page.evaluate(REQUESTED, NB_FRAMES) <= 1.2 * NB_FRAMES


def test_a_comparison_switches_between_two_results(open_player, fake_engine_server, job):
    client = fake_engine_server.client()
    other = client.post("/cgi-bin/again.py", json_wanted=True, job=job, model="starter").json()["job"]
    client.wait_for(other, "done")
    player.wait_for_pictures(client, other)
    page = open_player(f"{job}&with={other}")
    player.play(page)
    player.wait_until_heard(page, [False, True, False, True, False])
    page.keyboard.press("x")
    player.wait_until_heard(page, [False, False, True, False, True])
    player.press(page, "Solo Vocals B (starter)")
    player.wait_until_heard(page, [False, False, True, False, False])
    page.keyboard.press("o")
    player.wait_until_heard(page, [True, False, False, False, False])


def test_what_next(page):
    for name in ("Separate another song", "Try another model", "Home page", "Download vocal", "Download all (zip)"):
        assert page.get_by_role("link", name=name).is_visible()


def test_without_javascript_each_track_has_its_own_player(open_page, fake_engine_server, job):
    home = f"http://localhost:{fake_engine_server.port}/"
    page = open_page(home, java_script_enabled=False)
    page.goto(f"{home}cgi-bin/download.py?job={job}")
    assert page.locator("audio[controls]:visible").count() == 3
    assert not page.get_by_role("button", name="Play", exact=True).is_visible()
    assert not page.get_by_role("button", name="Solo").first.is_visible()
    for name in ("Download all (zip)", "Download vocal", "Download music"):
        assert page.get_by_role("link", name=name).is_visible()
