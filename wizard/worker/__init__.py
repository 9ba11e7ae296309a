"""What runs inside the operator's own Django project, under the project's own interpreter.

Nothing here imports the rest of the wizard, or anything beyond the standard library, Django
and Wagtail with what they bring. The syntax stays readable for Python 3.9. The package is
loaded under the name `remodel_worker`, because `wizard` need not be importable there.
"""
