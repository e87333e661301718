"""Signing in to the admin: password, second factor, passkey or an identity provider. The pages are django-allauth's."""
