"""The life of one order: identity, state table, requests, evidence and the view at the edge."""
