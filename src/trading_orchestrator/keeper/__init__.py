"""The parent process of the nodes on one host, and the handover of leases between them."""
