"""Who pays what: the registry's tables, the routing table compiled from them, and how it is kept fresh."""
