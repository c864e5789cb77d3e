"""Long Range Arena: its five tasks, from the published files or made here."""
