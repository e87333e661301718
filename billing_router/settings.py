"""Django's settings, from the environment. Whatever is missing or invalid is reported at startup, all at once."""

from __future__ import annotations

from typing import Any

from django.urls import reverse_lazy

from billing_router.database import database_settings, database_url
from billing_router.environment import ROOT, read_environment
from billing_router.sandbox_secret import sandbox_secret
from billing_router.sign_in.identity_provider import identity_provider, origin

environment = read_environment()

IS_SANDBOX = environment.is_sandbox
DEBUG = False  # an error page never shows a setting or a local variable

SECRET_KEY = (
    environment.DJANGO_SECRET_KEY.get_secret_value() if environment.DJANGO_SECRET_KEY else sandbox_secret("django")
)
TOKEN_PEPPER = environment.TOKEN_PEPPER.get_secret_value() if environment.TOKEN_PEPPER else sandbox_secret("tokens")
ALLOWED_HOSTS = environment.ALLOWED_HOSTS or ["localhost", "127.0.0.1", "[::1]"]
TRUSTED_PROXIES = environment.TRUSTED_PROXIES
REQUIRE_CONFIRMED_ACCOUNT = not IS_SANDBOX
STRIPE_API_BASE = environment.STRIPE_API_BASE
STRIPE_ROUTING_CONFIG = environment.STRIPE_ROUTING_CONFIG

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "pgtrigger",
    "procrastinate.contrib.django",
    "rest_framework",
    "routing",
]

MIDDLEWARE = [
    "billing_router.environment_header.EnvironmentHeader",
    "billing_router.content_security.ContentSecurity",
    "billing_router.probes.Probes",
    "billing_router.serve_only.ServeOnly",
    "billing_router.proxies.TrustProxies",
    "billing_router.plain_http.RefusePlainHttp",
    "billing_router.request_deadline.RequestDeadline",
    "billing_router.query_strings.RefuseNul",
    "billing_router.changed_database.RefuseChangedDatabase",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "billing_router.ended_sessions.EndSessions",
    "billing_router.sign_in.second_factor.RequireSecondFactor",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "billing_router.acting.SaysWhoActs",
]

ROOT_URLCONF = "billing_router.urls"
WSGI_APPLICATION = "billing_router.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "billing_router.sign_in.context.admin_context",
            ],
        },
    },
]

DATABASES: dict[str, Any] = {"default": database_settings(database_url(environment))}

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",  # of passwords that were set before; signing in replaces it
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},  # Django's list of breached passwords
]
AUTHENTICATION_BACKENDS = ["routing.access.sign_ins.Backend"]
LOGIN_URL = reverse_lazy("admin:login")
LOGIN_REDIRECT_URL = reverse_lazy("admin:index")

REQUIRE_SECOND_FACTOR = not IS_SANDBOX
ACCOUNT_ADAPTER = "billing_router.sign_in.adapters.Accounts"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_NOTIFICATIONS = False
ACCOUNT_RATE_LIMITS = False  # wrong passwords and codes are counted in the database, for every process
ACCOUNT_REAUTHENTICATION_TIMEOUT = 600  # seconds
MFA_ADAPTER = "billing_router.sign_in.adapters.SecondFactors"
MFA_SUPPORTED_TYPES = ["webauthn", "totp", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_USER_VERIFICATION = "required"  # a passkey alone signs in: whoever has the device proves who he is
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = IS_SANDBOX
MFA_TOTP_ISSUER = "Billing Router" + (" (sandbox)" if IS_SANDBOX else "")
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_FORMS = {
    "authenticate": "billing_router.sign_in.forms.CodeForm",
    "reauthenticate": "billing_router.sign_in.forms.CodeAgainForm",
}
SOCIALACCOUNT_ADAPTER = "billing_router.sign_in.adapters.Identities"
SOCIALACCOUNT_ONLY = False
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_PROVIDERS = identity_provider(environment)
IDENTITY_PROVIDER_ORIGIN = origin(environment)

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = ["routing.admin.formats"]  # dates without ambiguity, and in UTC
STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True  # serves the packages' own files; no collectstatic step to forget

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = not IS_SANDBOX
SECURE_HSTS_SECONDS = 0 if IS_SANDBOX else 365 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_AGE = 12 * 3600  # seconds, as in ended_sessions
SESSION_COOKIE_SECURE = not IS_SANDBOX
CSRF_COOKIE_SECURE = not IS_SANDBOX
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["routing.api.authentication.BotTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["routing.api.authentication.HasScope"],
    "DEFAULT_PARSER_CLASSES": ["routing.api.parsers.StrictJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "routing.api.json_alone.JSONAlone",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "routing.api.openapi.ApiAutoSchema",
    "EXCEPTION_HANDLER": "routing.api.problems.problem_response",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Stripe Billing Router",
    "DESCRIPTION": "The one place through which bots bill. Errors are RFC 9457 problems.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "routing.api.openapi.describe_errors",
    ],
}

PROCRASTINATE_AUTODISCOVER_MODULE_NAME = "jobs"
PROCRASTINATE_ON_APP_READY = "routing.postgres.jobs.use_connector"
PROCRASTINATE_WORKER_DEFAULTS = {
    "listen_notify": False,  # a pooler in transaction mode would lose what is listened for
    "fetch_job_polling_interval": 1.0,
    "concurrency": 6,  # a job for which Stripe takes its time holds up no other kind of job
}

UNFOLD = {
    "SITE_TITLE": "Billing Router",
    "SITE_HEADER": "Billing Router",
    "SITE_SYMBOL": "payments",
    "SITE_URL": None,  # there is no other site
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "ENVIRONMENT": "routing.admin.site.environment_badge",
    "ENVIRONMENT_TITLE_PREFIX": "routing.admin.site.title_prefix",
    "DASHBOARD_CALLBACK": "routing.admin.overview.overview",
    "ACCOUNT": {"navigation": "routing.admin.site.account_links"},
    "STYLES": ["routing.admin.site.stylesheet"],
    "COMMAND": {"search_callback": "routing.admin.search.search"},
    "SIDEBAR": {"show_search": True, "command_search": True, "navigation": "routing.admin.site.navigation"},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "redacting": {
            "()": "routing.keys.redaction.RedactingFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s: %(message)s",
        },
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "redacting"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        "django.server": {"handlers": [], "propagate": True},
        "stripe": {"level": "WARNING"},  # its DEBUG lines print request bodies
        "urllib3": {"level": "WARNING"},
        "httpx2": {"level": "WARNING"},
        "procrastinate": {"level": "WARNING"},
        "psycopg.pool": {"level": "ERROR"},  # each attempt to connect; the state of the database is logged once
    },
}
