"""The server's URLs."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularSwaggerSplitView

from routing.api.health import LivenessView, ReadinessView
from routing.api.openapi import schema

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", include("billing_router.sign_in.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("routing.api.urls")),
    path("api/schema", schema, name="schema"),
    path("api/docs", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path("healthz", LivenessView.as_view(), name="healthz"),
    path("readyz", ReadinessView.as_view(), name="readyz"),
]

handler400 = "routing.api.problems.bad_request"
handler404 = "routing.api.problems.not_found"
handler500 = "routing.api.problems.server_error"
