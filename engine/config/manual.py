"""What --help teaches: the texts of the command line."""

PROGRAM = "python -m engine"

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

Results are kept in cache/contents, or in the folder of environment variable GAMMASCOPE_CACHE. The
dashboard shows them as they arrive, and work that was interrupted goes on when the command is repeated.

exit codes: 0 done, 1 failed (one sentence on stderr), 2 wrong usage, 130 interrupted"""

TRAIN = """\
Train a network with SGD and keep its checkpoints. The defaults are the paper's. A finished run is not
trained again; an interrupted one goes on from its last checkpoint to the same weights."""

FILM = """\
Train as `train` does and analyse while training, frame by frame, for the page Live: there the film is watched, paused,
gone on with, and its learning rate and batch size are changed on the way. It ends when nobody has looked for a while;
the same command goes on with it."""

ANALYZE = """\
Compare H and the covariances at a checkpoint. For every matrix the table shows:

  gamma       exponent of C_ii ~ H_ii^gamma with its standard error, R2 of the fit and n, the directions in
              it; theory: 1 where all samples share one curvature, 2 where theirs is aligned with H
  commutator  |HC - CH| / |HC|: 0 if they share eigenvectors; beside it, the same for C turned at random
  alignment   share of C on the diagonal in the eigenbasis of H, 0 to 1; beside it, at random"""

LOAD = """\
Take checkpoints that were trained elsewhere as a run: state dicts in .safetensors, .pt or .pth. Their network
is read from the shapes; its activation cannot be. Loss and accuracy are measured: check that they are what you
trained to. Several files are the epochs of one training."""

SWEEP = """\
Train and analyse a whole grid of settings, written in TOML, and tabulate gamma: mean and deviation over seeds.
Every finished cell is kept: an interrupted sweep goes on where it was, and a cell already known costs nothing.
Those that come with the project: tiny (its data come along; a minute or two), results (the page
docs/results.md), table1 (Table 1 of the paper, in full)."""

INSPECT = """\
Say as JSON what files of weights hold: tensors, the network they belong to, and the layers to study."""

CHECK = """\
Compute some numbers of an analysis once more, in float64, by differentiating the network's loss along a few
directions and nothing else, and tell the relative errors."""

SAMPLES = """\
Look at every training sample of a checkpoint: its activity, curvature and partner, and the Fisher matrices in the
eigenbasis of H. The pages that take single samples in hand work with it."""

CALIBRATE = """\
Measure this machine for about three seconds. The dashboard then says how long work will take before it is
started."""

PREVIEW = """\
Look at a data set: its classes and some of its samples. With --download it is fetched first."""
