"""The pages of the admin's users and groups, where nobody gives more than he has himself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import ValidationError
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from routing.admin.shared.base import BaseAdmin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.forms import ModelForm
    from django.http import HttpRequest

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, BaseAdmin):  # type: ignore[type-arg]  # Django makes it generic for type checkers alone
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    search_help_text = "Search by name or email address"
    readonly_fields = ["is_superuser"]  # manage.py createsuperuser makes one, and nothing else

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or _has_all_of(request.user, obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or _has_all_of(request.user, obj))

    def get_form(self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002 (Django's signature)
        return _giving_only_ones_own(super().get_form(request, obj, change=change, **kwargs), request, obj)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, BaseAdmin):
    search_help_text = "Search by name"
    empty_message = "No group exists yet. A group gives the same permissions to several users."

    def get_form(self, request: HttpRequest, obj: Group | None = None, change: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002 (Django's signature)
        return _giving_only_ones_own(super().get_form(request, obj, change=change, **kwargs), request, obj)


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
