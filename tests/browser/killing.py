"""A browser with a profile on the disk, which outlives the end of its processes."""

import os
import shutil
import signal
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext

KILLS = 5  # of answers and of notes each: R14


def opened(browser: Browser, profile: Path, url: str) -> BrowserContext:
    installed = shutil.which("chromium") or shutil.which("google-chrome")
    context = browser.browser_type.launch_persistent_context(
        profile, executable_path=installed, base_url=url
    )
    context.set_default_timeout(30_000)
    return context


def kill(profile: Path) -> None:
    """SIGKILL to every process of the browser with this profile."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(profile).encode() in (process / "cmdline").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            pass  # it has ended meanwhile
