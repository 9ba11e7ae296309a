"""The project's own users, in an app that Wagtail's migrations can come after."""

from django.contrib.auth.models import AbstractUser


class Member(AbstractUser):
    pass
