"""The whole platform on one machine, with jobs that flow: `python -m workers.demo`, or `make demo`."""
