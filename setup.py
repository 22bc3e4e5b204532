"""What requirements.txt lists: above its line "# tests and checks" what the program needs, below it the extra
"dev"; timm's networks are recognised where it is installed."""

from pathlib import Path

from setuptools import setup

program, dev = (
    [requirement for line in part.splitlines() if (requirement := line.partition("#")[0].strip())]
    for part in Path(__file__).with_name("requirements.txt").read_text(encoding="utf-8").split("# tests and checks\n")
)
setup(install_requires=program, extras_require={"dev": dev, "timm": ["timm>=1"]})
