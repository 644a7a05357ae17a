"""How long the page takes to answer a reader: from the event to the end of the frame that shows its effect."""

from collections.abc import Mapping

from playwright.sync_api import CDPSession, Page

# The act runs within one frame; the next frame's layout and paint are over when a message sent from it arrives.
_TIMED = """
() => new Promise((done) => requestAnimationFrame(() => {
  const began = performance.now();
  ACT;
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => done(performance.now() - began);
    port2.postMessage(null);
  });
}))
"""
_TURN = "const menu = document.getElementById('{}'); menu.{}; menu.dispatchEvent(new Event('change'))"
_FIND = (
    "const box = document.getElementById('find'); box.value = 'int8'; box.dispatchEvent(new Event('input', BUBBLES))"
)
ACTS: Mapping[str, str] = {
    "open a cell": "document.querySelectorAll('#cells-table [data-open]')[40].click()",
    "close it": "document.getElementById('detail').close()",
    "sort": "document.querySelectorAll('#cells-table th button')[8].click()",
    "filter": _FIND.replace("BUBBLES", "{ bubbles: true }"),
    "switch model": _TURN.format("focus", "value = 3"),
    "switch model at the charts": "scrollTo(0, document.getElementById('tradeoff').offsetTop); "
    + _TURN.format("focus", "value = 2"),
    "switch model at the operators": "scrollTo(0, document.getElementById('operators').offsetTop); "
    + _TURN.format("focus", "value = 3"),
    "compare operators": _TURN.format("op-b", "selectedIndex += 3"),
    "sort operators": "document.querySelectorAll('#ops-table th button')[4].click()",
    "turn an axis": _TURN.format("pareto-axis", "value = 'zip'"),
    "open weights": "document.getElementById('tensors').open = true",
    "other weights": _TURN.format("weights-of", "value = 120"),
    "open a table": "document.querySelector('#tradeoff details').open = true",
    "turn the theme": "document.getElementById('theme').click()",
}


def settle(page: Page) -> None:
    """Wait until everything is drawn."""
    page.wait_for_selector("html:not([data-drawing])", state="attached")


def watch_main_thread(page: Page) -> CDPSession:
    """A session that counts the processor time of the page's main thread, whatever else the machine does."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    return session


def main_thread_ms(session: CDPSession) -> float:
    """Milliseconds that the main thread has computed so far."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(1e3 * float(metric["value"]) for metric in metrics if metric["name"] == "TaskDuration")


def time_act(page: Page, act: str) -> float:
    """Milliseconds from the act, a line of script, to the end of the next frame."""
    taken: float = page.evaluate(_TIMED.replace("ACT", act))
    return taken
