"""A page of the browser that shows the dashboard: what it says there, and its controls."""

from __future__ import annotations

from typing import Any

from browser.lab import SHOTS, Lab, wait_for

PANEL = ".omp-dash:not(.omp-static)"

_FRAMES = """
window.frames_seen = [];
const note = () => {
  const live = document.querySelector('.omp-dash:not(.omp-static) .omp-live');
  if (!live || live.dataset.tick === window.last_tick) return;
  window.last_tick = live.dataset.tick;
  window.frames_seen.push([+live.dataset.tick, Date.now() - live.dataset.at, Date.now()]);
};
if (window.frames_watch) window.frames_watch.disconnect();
window.frames_watch = new MutationObserver(note);
window.frames_watch.observe(
  document.body, {subtree: true, childList: true, attributes: true, characterData: true});
"""


class Page:
    """What a person sees of a panel and does with it, in any front-end.

    Parameters
    ----------
    lab
        Where it is opened.
    """

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.driver = lab.driver

    def script(self, code: str, *arguments: Any) -> Any:
        """Run code in the page."""
        return self.driver.execute_script(code, *arguments)

    def top(self, selector: str) -> float:
        """Give how far down the page the first element that fits and shows begins."""
        code = (
            "return [...document.querySelectorAll(arguments[0])].filter("
            "each => each.getClientRects().length).map(each => each.getBoundingClientRect().top)[0]"
        )
        found = self.script(code, selector)
        assert found is not None, selector
        return float(found)

    def shows(self, selector: str) -> bool:
        """Tell whether any element that fits can be seen."""
        code = (
            "return [...document.querySelectorAll(arguments[0])].some(each => each.checkVisibility("
            "{opacityProperty: true, visibilityProperty: true}))"
        )
        return bool(self.script(code, selector))

    def one(self, selector: str, text: str = "", panel: int = 0) -> Any:
        """Give the element of a panel that fits, waiting for it."""
        (found,) = wait_for(
            f"one {selector} {text}", lambda: self._single(self.all(selector, text, panel))
        )
        return found

    @staticmethod
    def _single(found: list[Any]) -> list[Any]:
        return found if len(found) == 1 else []

    def text(self, selector: str, panel: int = 0) -> str:
        """Give what the one element of a panel that fits says, read at once: a tick replaces it."""
        code = (
            f"const panel = document.querySelectorAll('{PANEL}')[arguments[1]];"
            "const found = panel ? panel.querySelectorAll(arguments[0]) : [];"
            # What is drawn has no innerText.
            "return [...found].map(each => each.innerText ?? each.textContent)"
        )
        return str(
            wait_for(f"one {selector}", lambda: self._single(self.script(code, selector, panel)))[0]
        )

    def all(self, selector: str, text: str = "", panel: int = 0) -> list[Any]:
        """Give the elements of a panel that fit; with a text, those that say just that."""
        code = (
            "const panel = document.querySelectorAll('.omp-dash:not(.omp-static)')[arguments[2]];"
            "return panel ? [...panel.querySelectorAll(arguments[0])].filter("
            "each => !arguments[1] || each.textContent.trim() === arguments[1]) : []"
        )
        found: list[Any] = self.script(code, selector, text, panel)
        return found

    def click(self, text: str, panel: int = 0) -> None:
        """Click the button of a panel that says this."""
        self._reach(self.one("button", text, panel)).click()

    def _reach(self, element: Any) -> Any:
        self.script("arguments[0].scrollIntoView({block: 'center'})", element)
        return element

    def limit(self, label: str, threads: int) -> None:
        """Type a number into the box of a pool, and press Enter."""
        from selenium.webdriver.common.keys import Keys

        box = self._reach(wait_for(f"a box for {label}", lambda: self.box(label)))
        box.click()
        box.send_keys(Keys.CONTROL, "a")
        box.send_keys(str(threads), Keys.ENTER)

    def box(self, label: str) -> Any:
        """Give the number box in the row of a pool whose name begins so."""
        code = (
            "const row = [...document.querySelectorAll('.omp-dash:not(.omp-static) .omp-p')].find("
            "each => (each.querySelector('bdi') || each).textContent.startsWith(arguments[0]));"
            "const place = row && [...row.classList].find(each => /^omp-r\\d+$/.test(each));"
            "return place && document.querySelector(`.omp-dash .omp-box.${place} input`)"
        )
        return self.script(code, label)

    def message(self, panel: int = 0) -> str:
        """Give what the panel says about what was done last."""
        return self.text(".omp-msg", panel)

    def says(self, part: str, panel: int = 0) -> str:
        """Wait until the panel's message holds this, and give it."""
        return str(
            wait_for(
                f"the panel says {part!r}",
                lambda: part in self.message(panel) and self.message(panel),
            )
        )

    def number(self) -> int:
        """Give the number of the tick that shows; -1 without a panel."""
        code = "const live = document.querySelector('.omp-dash:not(.omp-static) .omp-live');"
        return int(self.script(code + "return live ? live.dataset.tick : -1"))

    def panels(self) -> list[str]:
        """Give the number of the tick that each panel shows."""
        live = "[...document.querySelectorAll('.omp-dash:not(.omp-static) .omp-live')]"
        code = f"return {live}.map(each => each.dataset.tick)"
        return list(self.script(code))

    def next_tick(self) -> float:
        """Wait for another picture, and give when its tick was taken, in ms."""
        before = self.number()
        wait_for("a tick", lambda: self.number() > before)
        code = "return document.querySelector('.omp-dash:not(.omp-static) .omp-live').dataset.at"
        return float(self.script(code))

    def choose(self, choice: str) -> None:
        """Choose from the panel's list."""
        from selenium.webdriver.support.ui import Select

        Select(self._reach(self.one("select"))).select_by_visible_text(choice)

    def press(self, key: str) -> None:
        """Press a key, by its name in selenium."""
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        ActionChains(self.driver).send_keys(getattr(Keys, key)).perform()

    def watch_frames(self) -> None:
        """Note from now on each new picture and how old it was when it came."""
        self.script(_FRAMES)

    def frames(self) -> list[tuple[int, float, float]]:
        """Give (number of the tick, its age in ms when it showed, when it showed in ms)."""
        return [(a, b, c) for a, b, c in self.script("return window.frames_seen")]

    def shot(self, name: str, element: str = ".omp-dash:not(.omp-static)") -> None:
        """Keep a picture of the page, and one of the panel alone."""
        SHOTS.mkdir(exist_ok=True)
        self.driver.save_screenshot(str(SHOTS / f"{name}.png"))
        for found in self.driver.find_elements("css selector", element)[:1]:
            found.screenshot(str(SHOTS / f"{name}_panel.png"))

    def complaints(self) -> list[str]:
        """Give what the browser's console holds of errors since it was last asked."""
        return [
            each["message"] for each in self.driver.get_log("browser") if each["level"] == "SEVERE"
        ]
