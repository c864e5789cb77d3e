"""The help text."""

HELP = """\
feedrun: is that true, when, and what would I see? One command a question.

  feedrun                                       the feed: papers, experiments, last verdicts
  feedrun experiment=particles_clustering       run one, at the size that fits this machine
  feedrun experiment=NAME --help                its settings and its claims, each explained
  feedrun experiment=NAME scale=smoke           seconds: does it work?
  feedrun experiment=NAME seed=3 wandb=online   another seed, mirrored to Weights & Biases
  feedrun -m experiment=NAME 'seed=range(5)'    a sweep: every value of every list
  feedrun sweep=particles_phase_diagram         a named sweep: a table or figure of a paper
  feedrun status                                how far the sweep begun last is
  feedrun --config-dir myconf experiment=mine   your own: myconf/experiment/mine.yaml
  feedrun report outputs/NAME                   verdicts and tables over runs; report --help
  feedrun compare outputs/NAME                  one HTML page: curves, runs, claims, figures

experiments   {names}
sweeps        {sweeps}

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

settings of a sweep
  launcher=local    local (worker processes) | inline (this process) | slurm (a cluster)
  launcher.retries=1    how often a job that failed is tried again
  launcher.workers=4    of local, as launcher.timeout=600 (seconds an attempt may take)
  launcher.partition=gpu    of slurm, as account, qos, gres, timeout_min, mem_gb, setup, ...
  launcher=slurm --help     all settings of a launcher, each explained
  batch=8           up to 8 runs that differ only in seed and numbers as one compiled program

options
  -m, --multirun    sweep over comma-separated values, range(), choice(), glob();
                    implied by sweep= and launcher=
  -q, --quiet       no progress, only the verdicts
  --config-dir DIR  a second folder of configs, before feedrun's own
  --cfg job         show the composed config and stop
  --version, --help

The same command given again returns the finished record at once, resumes a run that was
interrupted or killed, and tries a failed one again: of a sweep it does what is missing. A claim
that fails is a finding: exit code 0. Exit code 1: an experiment raised (in a sweep: some job, after
its retries, with one line each); 2: bad input, nothing was run; 130: Ctrl-C.
"""
