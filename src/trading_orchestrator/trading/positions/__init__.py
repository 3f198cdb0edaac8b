"""What is held and what it earned: positions and balances as sums of trades."""
