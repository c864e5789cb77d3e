"""Arms of a comparison: trained on a family, evaluated against its oracles."""
