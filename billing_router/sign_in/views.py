"""The page where people sign in with a password, which a second factor follows for those who have one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.utils import perform_login
from allauth.socialaccount.adapter import get_adapter
from django.contrib import admin
from django.contrib.auth.views import LoginView
from django.http import HttpResponseRedirect
from django.urls import reverse

from billing_router.sign_in.forms import SignInForm

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


class SignInView(LoginView):
    authentication_form = SignInForm
    template_name = "admin/sign_in.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if admin.site.has_permission(request):
            return HttpResponseRedirect(reverse("admin:index"))
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {
            **super().get_context_data(**kwargs),
            **admin.site.each_context(self.request),
            "title": "Log in",
            "app_path": self.request.get_full_path(),
            "username": self.request.user.get_username(),
            "identity_providers": get_adapter().list_providers(self.request),
        }

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = perform_login(self.request, form.get_user(), redirect_url=self.get_success_url())
        return response
