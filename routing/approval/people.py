"""Who may do what: users, groups, and what they were given. The tables are Django's, the triggers ours."""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group, User

from routing.approval.triggers import ANY_DOMAIN, guarded
from routing.audit.acting import SETTING
from routing.audit.triggers import audited

_USER = "(SELECT username FROM auth_user WHERE id = subject.user_id)"
_GROUP = "(SELECT name FROM auth_group WHERE id = subject.group_id)"
_PERMISSION = "(SELECT codename FROM auth_permission WHERE id = subject.permission_id)"


_ACTING = f"NULLIF(current_setting('{SETTING}', true), '')::jsonb"

_IS_NOT_ANOTHERS = f"COALESCE({_ACTING}->>'road', '') <> 'admin' OR {_ACTING}->>'actor_id' = NEW.id::text"
"""SQL for that nobody sets somebody else's password in the admin: whoever may could sign in as his second person."""


class GuardedUser(User):
    class Meta:
        proxy = True
        default_permissions = ()
        triggers = [
            audited("subject.username", masked=["password"], ignored=["last_login"]),
            guarded(
                ANY_DOMAIN,
                free=("first_name", "last_name"),
                when=_IS_NOT_ANOTHERS,
                free_then=("password",),
                table="auth_user",
            ),
        ]


class AuditedAuthenticator(Authenticator):  # type: ignore[misc]  # allauth has no types
    """A second factor. Whoever has one of a colleague's is that colleague: each new one is in the log."""

    class Meta:
        proxy = True
        default_permissions = ()
        triggers = [
            audited(f"{_USER} || ' authenticates with ' || subject.type", masked=["data"], ignored=["last_used_at"])
        ]


class GuardedGroup(Group):
    class Meta:
        proxy = True
        default_permissions = ()
        triggers = [audited("subject.name"), guarded(ANY_DOMAIN)]


class GuardedMembership(User.groups.through):  # type: ignore[name-defined, misc]  # made by Django while it runs
    class Meta:
        proxy = True
        default_permissions = ()
        triggers = [audited(f"{_USER} || ' in ' || {_GROUP}"), guarded(ANY_DOMAIN)]


class GuardedUserPermission(User.user_permissions.through):  # type: ignore[name-defined, misc]  # as above
    class Meta:
        proxy = True
        default_permissions = ()
        triggers = [audited(f"{_USER} || ' may ' || {_PERMISSION}"), guarded(ANY_DOMAIN)]


class GuardedGroupPermission(Group.permissions.through):  # type: ignore[name-defined, misc]  # as above
    class Meta:
        proxy = True
        default_permissions = ()
        triggers = [audited(f"{_GROUP} || ' may ' || {_PERMISSION}"), guarded(ANY_DOMAIN)]
