"""What the admin's pages share: base classes, the confirmation page, form rules, and how values look."""
