"""How Django itself writes dates on the desk's pages."""
