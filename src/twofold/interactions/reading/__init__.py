"""Files to pairs of users and items: tables of interactions in the usual formats, and their splits."""

from twofold.interactions.reading.splits import SPLITS, Interactions, fingerprint, open_interactions
from twofold.interactions.reading.table import Table, read_table

__all__ = ["SPLITS", "Interactions", "Table", "fingerprint", "open_interactions", "read_table"]
