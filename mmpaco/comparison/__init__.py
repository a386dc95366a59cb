"""Several methods trained side by side: runs, records, table, pictures."""
