"""How Sphinx makes the documentation: `make docs`."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow"))

project = "ventral"
author = "the authors of ventral"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", ".venv"]
source_suffix = {".md": "markdown"}

# Headings are link targets down to the third level, as on GitHub.
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]

napoleon_numpy_docstring = True
napoleon_google_docstring = False
napoleon_use_ivar = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
default_role = "code"

html_theme = "pydata_sphinx_theme"
html_title = "ventral"
html_show_sourcelink = False
# No pages lie below these.
html_sidebars = {name: [] for name in ("index", "first_steps", "tasks")}
html_theme_options = {
    "header_links_before_dropdown": 6,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "default",
    "pygments_dark_style": "native",
}
