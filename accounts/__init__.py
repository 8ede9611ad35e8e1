"""Who a driver is: names, passwords, codes, log-in, profile, export and erasure. Rules only, no page."""
