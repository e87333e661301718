"""The pages of signing in, and of one's own factors and sessions. There are no others of django-allauth's."""

from allauth.account.views import logout, reauthenticate
from django.urls import include, path

from billing_router.sign_in.views import SignInView

urlpatterns = [
    path("login/", SignInView.as_view(), name="account_login"),
    path("account/logout/", logout, name="account_logout"),
    path("account/reauthenticate/", reauthenticate, name="account_reauthenticate"),
    path("account/factors/", include("allauth.mfa.urls")),
    path("account/sessions/", include("allauth.usersessions.urls")),
    path("account/", include("allauth.socialaccount.providers.openid_connect.urls")),
    path("account/identities/", include("allauth.socialaccount.urls")),
]
