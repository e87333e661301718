"""The pages of the admin's users and groups, where nobody gives more than he has himself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import ValidationError
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from routing.access.models import StaffDomains
from routing.admin.shared.appearance import EMPTY
from routing.admin.shared.base import BaseAdmin
from routing.admin.shared.forms import RefusesKeys
from routing.registry.models import Domain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.models import QuerySet
    from django.forms import ModelForm
    from django.http import HttpRequest

admin.site.unregister(User)
admin.site.unregister(Group)
for _model in apps.get_models():
    if _model._meta.app_config.name.startswith("allauth") and admin.site.is_registered(_model):  # noqa: SLF001 (Django's documented API)
        admin.site.unregister(_model)  # its pages show the keys of sessions, and make second factors for anybody


class NewUserForm(RefusesKeys, UserCreationForm):
    pass


class RoleForm(RefusesKeys, forms.ModelForm):  # type: ignore[type-arg]  # the model is the admin's
    pass


class StaffForm(RefusesKeys, UserChangeForm):
    domains = forms.MultipleChoiceField(
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="The user sees and changes only what belongs to these domains. Choose none for every domain.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["domains"] = _domains(self.instance)
        slugs = sorted({*Domain.objects.values_list("slug", flat=True), *self.initial["domains"]})
        choice = cast("forms.MultipleChoiceField", self.fields["domains"])
        choice.choices = [(slug, slug) for slug in slugs]

    def _save_m2m(self) -> None:
        super()._save_m2m()
        if domains := self.cleaned_data["domains"]:
            StaffDomains.objects.update_or_create(user=self.instance, defaults={"domains": sorted(domains)})
        else:
            StaffDomains.objects.filter(user=self.instance).delete()


@admin.register(User)
class UserAdmin(DjangoUserAdmin, BaseAdmin):  # type: ignore[type-arg]  # Django makes it generic for type checkers alone
    form = StaffForm
    add_form = NewUserForm
    change_password_form = AdminPasswordChangeForm
    search_help_text = "Search by name or email address"
    readonly_fields = ["is_superuser"]  # manage.py createsuperuser makes one, and nothing else
    filter_horizontal = ("user_permissions",)
    fieldsets = (
        (None, {"fields": ["username", "password", "is_active", "is_staff", "is_superuser"]}),
        ("May do", {"fields": ["groups", "domains"]}),
        ("Person", {"fields": ["first_name", "last_name", "email", "last_login", "date_joined"]}),
        ("Permissions beside the roles", {"classes": ["collapse"], "fields": ["user_permissions"]}),
    )
    list_display = ["username", "email", "roles", "works_in", "is_active", "is_staff"]
    list_select_related = ["staff_domains"]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or _has_all_of(request.user, obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or _has_all_of(request.user, obj))

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name != "groups":
            return super().formfield_for_manytomany(db_field, request, **kwargs)
        widget = UnfoldAdminCheckboxSelectMultipleWidget()
        looks = {"widget": widget, "label": "Roles", "help_text": "What the user may do in the admin."}
        return super().formfield_for_manytomany(db_field, request, **kwargs | looks)

    @admin.display(description="roles")
    def roles(self, user: User) -> str:
        roles = ["Superuser"] if user.is_superuser else []
        return ", ".join([*roles, *(group.name for group in user.groups.all())]) or EMPTY

    @admin.display(description="works in")
    def works_in(self, user: User) -> str:
        return ", ".join(_domains(user)) or "every domain"

    def get_form(self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002 (Django's signature)
        return _giving_only_ones_own(super().get_form(request, obj, change=change, **kwargs), request, obj)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, BaseAdmin):
    form = RoleForm
    search_help_text = "Search by name"
    empty_message = "No role exists yet. A role gives the same permissions to several users."

    def get_form(self, request: HttpRequest, obj: Group | None = None, change: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002 (Django's signature)
        return _giving_only_ones_own(super().get_form(request, obj, change=change, **kwargs), request, obj)


def _domains(user: User) -> list[str]:
    return list(user.staff_domains.domains) if hasattr(user, "staff_domains") else []


def _has_all_of(person: Any, user: User) -> bool:
    """Say whether the person may do all that the user may: whoever changes somebody could act as he."""
    if person.is_superuser:
        return True
    return not user.is_superuser and user.get_all_permissions() <= person.get_all_permissions()


def _giving_only_ones_own(form: type[ModelForm[Any]], request: HttpRequest, obj: User | Group | None) -> Any:
    """Return the form, which refuses permissions and groups that would give more than the person has."""

    class Form(form):  # type: ignore[valid-type, misc]  # made by Django for this request
        def clean(self) -> Any:
            cleaned = super().clean()
            for field, given in list(self.cleaned_data.items()):
                if field in {"permissions", "user_permissions", "groups"}:
                    had = set(getattr(obj, field).all()) if obj else set()
                    if lacking := _lacking(request.user, set(given) - had):
                        self.add_error(field, _refusal(lacking))
            return cleaned

    return Form


def _lacking(person: Any, given: Iterable[Permission | Group]) -> list[str]:
    """Return the names of what the person does not have himself."""
    own = person.get_all_permissions()
    asked = {
        permission
        for each in given
        for permission in (each.permissions.select_related("content_type") if isinstance(each, Group) else [each])
    }
    return sorted(each.name for each in asked if f"{each.content_type.app_label}.{each.codename}" not in own)


def _refusal(lacking: list[str]) -> ValidationError:
    more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
    return ValidationError(f"You cannot give what you may not do yourself: {lacking[0]}{more}. Ask somebody who may.")
