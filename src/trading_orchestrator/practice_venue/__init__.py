"""The outside world for demos and tests: a Binance-Spot-compatible exchange on loopback.

Law: nothing here imports the rest of the package and the rest imports nothing from here, so that a
bug they share cannot hide. They meet only through HTTP, WebSocket and the venue's log file.
"""
