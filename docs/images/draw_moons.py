"""Draw the README's picture from the gallery's example: ``make picture``."""

import os
import runpy
from pathlib import Path

HERE = Path(__file__).parent


def main():
    os.environ["MPLBACKEND"] = "Agg"  # no window
    example = runpy.run_path(str(HERE.parents[1] / "examples" / "plot_moons.py"))
    picture = HERE / "moons.png"
    # A white ground of its own: a page may be dark. 900 pixels, and few colours for a small file.
    example["boundaries"].savefig(
        picture, dpi=900 / 6.4, facecolor="white", pil_kwargs={"optimize": True}
    )
    print(f"{picture.name}: {picture.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
