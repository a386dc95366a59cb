"""Folders of the project."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / 'configs'
DOCS = ROOT / 'docs'
PROJECTS = ROOT / 'projects'
TOOLS = ROOT / 'tools'
