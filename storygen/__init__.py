"""storygen: training corpora of AIs that stay good under pressure. Read `pipeline.py` first."""

__version__ = "0.1.0"
