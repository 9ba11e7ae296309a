"""Make tables by Django's own schema editor. The argument says in which database, as JSON.

A process of its own: Django is configured once in each.
"""

from __future__ import annotations

import json
import sys

import django
from django.conf import settings

names = {"dbname": "NAME", "host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD"}
given = json.loads(sys.argv[1])
database = {names[key]: value for key, value in given.items() if key in names}
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", **database}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()

from django.db import connection, models  # noqa: E402


class Image(models.Model):
    class Meta:
        app_label = "pictures"


class Tag(models.Model):
    class Meta:
        app_label = "pictures"


class AVeryLongNameOfAModelThatIsCutToFit(models.Model):
    plain = models.TextField()
    word = models.CharField(max_length=255, db_index=True)
    slug = models.SlugField()
    text = models.TextField(unique=True)
    code = models.CharField(max_length=20, unique=True)
    key = models.UUIDField(unique=True)
    day = models.DateField(db_index=True, null=True)
    small = models.PositiveSmallIntegerField()
    usual = models.PositiveIntegerField(db_index=True, null=True)
    big = models.PositiveBigIntegerField(unique=True)
    Quoted = models.PositiveIntegerField(db_column="Of Its Own")
    data = models.JSONField(default=dict)
    cover = models.ForeignKey(Image, null=True, on_delete=models.SET_NULL, related_name="+")
    one = models.OneToOneField(Image, on_delete=models.CASCADE, related_name="+")
    a_field_whose_name_is_so_long_that_it_is_cut_as_well_to_fit = models.ForeignKey(
        Image, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    another_field_whose_name_is_so_long_that_it_is_cut_to_fit = models.PositiveIntegerField()
    a_third_field_whose_name_is_so_long_that_it_is_cut_to_fit_ = models.SlugField(unique=True)
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE)
    tags = models.ManyToManyField(Tag)

    class Meta:
        app_label = "blog"


added = models.PositiveSmallIntegerField(default=1, unique=True)
added.set_attributes_from_name("added")
later = models.ForeignKey(Image, null=True, on_delete=models.CASCADE, related_name="+")
later.set_attributes_from_name("later")
altered = models.CharField(max_length=20, db_index=True, unique=True)
altered.set_attributes_from_name("plain")
altered.model = AVeryLongNameOfAModelThatIsCutToFit
with connection.schema_editor() as editor:
    for model in (Image, Tag, AVeryLongNameOfAModelThatIsCutToFit):
        editor.create_model(model)
with connection.schema_editor() as editor:
    for field in (added, later):
        field.contribute_to_class(AVeryLongNameOfAModelThatIsCutToFit, field.name)
        editor.add_field(AVeryLongNameOfAModelThatIsCutToFit, field)
    before = AVeryLongNameOfAModelThatIsCutToFit._meta.get_field("plain")
    editor.alter_field(AVeryLongNameOfAModelThatIsCutToFit, before, altered)
meta = AVeryLongNameOfAModelThatIsCutToFit._meta
print(
    json.dumps(
        {
            "table": meta.db_table,
            "columns": [field.column for field in meta.local_concrete_fields],
            "through": meta.get_field("tags").m2m_db_table(),
        }
    )
)
