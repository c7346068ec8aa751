"""Train one fastText classifier, as a program of its own: `python fasttext_training.py SETTINGS.json`.

A fresh process with one thread, because more threads race for the weights and make a different file each time
(Hogwild), and because releases of fastText left part of the input matrix as they found it in memory, which is zero pages
only in a young process. It imports nothing of this project, so it runs wherever the library is installed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import fasttext
import numpy as np


def train(settings: dict) -> None:
    """Train on settings["input"] and write settings["output"]; SystemExit when a weight is not a finite number."""
    output = settings.pop("output")
    model = fasttext.train_supervised(**settings, thread=1, verbose=0)
    for name, weights in (("input", model.get_input_matrix()), ("output", model.get_output_matrix())):
        if not np.isfinite(weights).all():
            raise SystemExit(f"the {name} weights hold numbers that are not finite: lower the learning rate (now {settings['lr']})")
    model.save_model(output)


if __name__ == "__main__":
    train(json.loads(Path(sys.argv[1]).read_text("utf-8")))
