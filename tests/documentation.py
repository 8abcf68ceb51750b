"""README, documentation, and the examples in them."""

import re
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


def pages() -> list[Path]:
    """Return README, the pages of the documentation, and what it includes."""
    return [README, ROOT / "CONTRIBUTING.md", ROOT / "config" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    """Return the blocks of code of one language on a page."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [dedent(block) for _, block in found]
