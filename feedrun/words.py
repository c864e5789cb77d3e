"""The help text."""

HELP = """\
feedrun: is that true, when, and what would I see? One command a question.

  feedrun                                       the feed: papers, experiments, last verdicts
  feedrun experiment=particles_clustering       run one, at the size that fits this machine
  feedrun experiment=NAME --help                its settings, each explained
  feedrun experiment=NAME scale=smoke           seconds: does it work?
  feedrun experiment=NAME seed=3 wandb=online   another seed, mirrored to Weights & Biases
  feedrun -m experiment=NAME 'seed=range(5)'    a sweep: every value of every list
  feedrun --config-dir myconf experiment=mine   your own: myconf/experiment/mine.yaml

experiments   {names}

settings of every run
  scale=laptop      smoke (seconds, verdicts never count) | laptop (minutes on two cores)
                    gpu (minutes on one GPU) | paper (the paper's own sizes)
  seed=0            the one random seed
  wandb=offline     online | offline | disabled; the local record is complete in any case
  force=true        run anew although the same config has a finished record
  outputs=outputs   where records go: outputs/<experiment>/<config id>/
  data_folder=data  where data sets lie that you brought yourself; fetch=true downloads them
  process.devices=2 CPU devices; also process.cache, process.malloc, process.precision
  process.distributed=auto  one run over the tasks of an srun, each the same command

options
  -m, --multirun    sweep over comma-separated values, range(), choice(), glob()
  -q, --quiet       no progress, only the verdicts
  --config-dir DIR  a second folder of configs, before feedrun's own
  --cfg job         show the composed config and stop
  --version, --help

The same command given again returns the finished record at once, resumes a run that was
interrupted or killed, and tries a failed one again. A claim that fails is a finding: exit code 0.
Exit code 1: an experiment raised; 2: bad input; 130: Ctrl-C.
"""
