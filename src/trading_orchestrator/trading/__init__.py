"""Wing one: strategies decide, risk reserves, orders leave, evidence and fills are booked."""
