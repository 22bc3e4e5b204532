"""What --help teaches beside the commands themselves."""

import sys
from pathlib import Path

PROGRAM = "gammascope" if Path(sys.argv[0]).stem == "gammascope" else "python -m engine"
DASHBOARD = "gammascope" if PROGRAM == "gammascope" else "streamlit run app.py"

ABOUT = """\
Gammascope without the dashboard: train a small network with SGD, then see how the covariance C of its
gradient noise follows the Hessian H of its loss."""

EXAMPLES = f"""\
examples:
  {PROGRAM} train --analyze
        the demo: 5,000 real digits, 784-50-50-10, 100 epochs, then every checkpoint analysed
  {PROGRAM} train --classes 0,1,2 --loss mse --epochs 50
  {PROGRAM} analyze
        the last checkpoint of the newest run
  {PROGRAM} analyze --run 3f2a --epoch all --bootstrap 200
  {PROGRAM} sweep tiny --csv table.csv
  {PROGRAM} analyze --layer fc1+fc2 --top-k 100
        H and C of the weights of both layers, with their cross blocks
  {PROGRAM} load epoch_0.pt epoch_10.pt --activation tanh --analyze
        checkpoints of your own, trained on the 5,000 digits

Results and data sets are kept in cache/contents, or in the folder of environment variable GAMMASCOPE_CACHE.
The dashboard shows them as they arrive, and work that was interrupted goes on when the command is repeated.

exit codes: 0 done, 1 failed (one sentence on stderr), 2 wrong usage, 130 interrupted"""
