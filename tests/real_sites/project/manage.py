#!/usr/bin/env python
"""Django's command line; which site it is, DJANGO_SETTINGS_MODULE says."""

import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
