"""Sphinx's settings for the site, which ``make docs`` builds."""

import sys
from pathlib import Path

import mmpaco

sys.path.insert(0, str(Path(__file__).parent / '_ext'))

project = 'mmpaco'
version = release = mmpaco.__version__
extensions = [
    'myst_parser',
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
    'sphinx_copybutton',
    'mathml',
    'outside_pages',
    'path_check',
]
html_theme = 'furo'
html_static_path = ['_static']
html_css_files = ['tables.css']
html_math_renderer = 'mathml'
html_title = f'mmpaco {version}'
html_copy_source = html_show_sourcelink = html_show_copyright = False
myst_heading_anchors = 4
myst_enable_extensions = ['dollarmath']
# What a project writes between its marks begins with a heading of its own.
suppress_warnings = ['myst.header']
autodoc_typehints = 'none'
autodoc_member_order = 'bysource'
autodoc_default_options = {
    'members': True,
    'exclude-members': 'extra_repr',
    'show-inheritance': True,
}
napoleon_use_rtype = False
copybutton_prompt_text = r'>>> |\.\.\. '
copybutton_prompt_is_regexp = True
