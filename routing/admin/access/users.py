"""The pages of the admin's users and groups."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from routing.admin.shared.base import BaseAdmin

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, BaseAdmin):  # type: ignore[type-arg]  # Django makes it generic for type checkers alone
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    search_help_text = "Search by name or email address"


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, BaseAdmin):
    search_help_text = "Search by name"
    empty_message = "No group exists yet. A group gives the same permissions to several users."
