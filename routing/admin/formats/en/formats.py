"""As ``appearance.moment`` writes them, for the pages that are Django's own."""

DATE_FORMAT = "j M Y"
TIME_FORMAT = "H:i:s"
DATETIME_FORMAT = "j M Y, H:i:s e"
