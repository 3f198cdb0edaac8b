"""Any ccxt exchange as a broker and a feed; importing this package does not import ccxt."""
