"""Where the venue's prices come from: recorded bars, quotes or trades, replayed for ever."""
