"""The journal and the lease: facts, folds, fencing, and proof of death."""
