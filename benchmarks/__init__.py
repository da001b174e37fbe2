"""Benchmarks: ratios against peers, measured side by side in one run on one machine.

Absolute figures are not stable from machine to machine, nor from hour to hour; ratios are. Here
databases may be filled by plain SQL, which tests may not do.
"""
