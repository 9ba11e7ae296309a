from django.apps import AppConfig


class CastConfig(AppConfig):
    name = "harbour_cast"
    label = "cast"
    verbose_name = "Harbour Cast"
    default_auto_field = "django.db.models.BigAutoField"
