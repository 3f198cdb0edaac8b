"""Where facts, leases and projections are kept: ports here, one folder an engine."""
