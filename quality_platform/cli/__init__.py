"""The command line: `quality-platform`. One file for each group of commands."""

from quality_platform.cli.app import main

__all__ = ["main"]
