"""Numbers that stay while the program is rebuilt.

    python -m tests.pins --renew          # write the goldens anew, when a number is meant to change
    python -m tests.pins --write FILE     # keep every array bit for bit …
    python -m tests.pins --exact FILE     # … and compare with it later; exit code 1 where a bit differs

Bits are those of one processor and one torch: such a file is compared where it was made, and not committed.
"""

import argparse
import sys
from pathlib import Path

from tests.pins import exact, numbers


def main() -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        "python -m tests.pins", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    one = parser.add_mutually_exclusive_group(required=True)
    one.add_argument("--renew", action="store_true", help="write tests/pins/goldens.npz")
    one.add_argument("--write", type=Path, metavar="FILE", help="keep every bit in this .npz file")
    one.add_argument("--exact", type=Path, metavar="FILE", help="compare every bit with this .npz file")
    words = parser.parse_args()
    if words.renew:
        numbers.renew()
        print(f"{numbers.GOLDENS} is written: {numbers.GOLDENS.stat().st_size:,} bytes.")
        return 0
    if words.write is not None:
        print(f"{exact.write(words.write):,} arrays are kept in {words.write}.")
        return 0
    differences, count = exact.differences(words.exact)
    print(*differences, f"{len(differences)} of {count:,} arrays differ.", sep="\n")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
